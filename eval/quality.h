#pragma once

#include <cstdint>
#include <vector>

#include "eval/engine/engine.h"
#include "train/data/task_data.h"

namespace hone {

struct ClassificationQuality {
  double accuracy = 0;
  // Mean over the classes that occur of 2PR / (P + R).
  double macro_f1 = 0;
};

// logits row major [N, classes].
ClassificationQuality QualityOf(const std::vector<float>& logits,
                                const std::vector<std::int64_t>& labels,
                                std::int64_t classes);

// Logits of a loaded model on every row of `data`, row major [N, classes].
std::vector<float> RunModel(EngineModel& model, const TaskData& data,
                            std::int64_t batch_size, std::int64_t classes);

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

}  // namespace hone
