#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "eval/measurement.h"
#include "train/data/task_data.h"

namespace hone {

// How well a language model predicts a text, over several units of length.
// Perplexities compare only models with the same tokens; bits per character
// compare all.
struct LanguageQuality {
  double nats_per_token = 0;
  double bits_per_token = 0;
  double perplexity = 0;  // exp(nats_per_token)
  double nats_per_character = 0;
  double bits_per_character = 0;
};

// nats: the sum of -log p(token), in natural logarithm, over all `tokens`
// predicted tokens of a text of `characters` characters. Throws Error{kUsage}
// unless there are tokens and characters, and nats is a number that is not
// negative (infinite where a token was impossible).
LanguageQuality LanguageQualityOf(double nats, std::int64_t tokens,
                                  std::int64_t characters);

// Adds up, batch after batch, how well logits predict labels.
//   encoder   accuracy; macro_f1, the mean over the classes that occur of
//             2PR / (P + R)
//   decoder   nats_per_token, bits_per_token, perplexity, nats_per_character,
//             bits_per_character
class QualityMeter {
 public:
  // `outputs`: classes, or the vocabulary.
  QualityMeter(Topology topology, std::int64_t outputs);
  // logits: row major [N, outputs]; a label kNoLabel does not count.
  void Add(std::span<const float> logits, std::span<const std::int64_t> labels);
  // `characters`: of the text that the labels are, for a decoder.
  std::map<std::string, Metric> Metrics(std::int64_t characters) const;

 private:
  // What macro-F1 needs to know of one class.
  struct ClassCounts {
    std::int64_t labelled = 0;
    std::int64_t predicted = 0;
    std::int64_t right = 0;
  };
  Topology topology_;
  std::size_t outputs_;
  std::vector<ClassCounts> counts_;
  std::int64_t labels_ = 0;
  double nats_ = 0;
};

// Characters of what a decoder is to predict: of a running text, or of the
// references of a translation.
std::int64_t PredictedCharacters(const TaskData& data);

}  // namespace hone
