#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "train/data/dataset.h"

namespace hone {

// Turns text into token numbers. Immutable; safe to share between threads.
class Vocabulary {
 public:
  virtual ~Vocabulary() = default;
  virtual std::int64_t size() const = 0;
  // At least one token (the unknown token for empty text), at most max_tokens.
  virtual std::vector<std::int64_t> Encode(std::string_view text,
                                           std::int64_t max_tokens) const = 0;
  // The bytes that LoadVocabulary reads back; the same for the same training.
  virtual std::string Serialize() const = 0;
};

// Trained on `texts` alone. options: vocabulary kind and size. Deterministic.
std::unique_ptr<Vocabulary> TrainVocabulary(
    const TaskOptions& options, const std::vector<LabelledText>& texts);
// Throws Error{kIntegrity} when the bytes are not a vocabulary of ours.
std::unique_ptr<Vocabulary> ParseVocabulary(std::string_view bytes);

}  // namespace hone
