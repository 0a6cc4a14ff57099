#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "space/base/clock.h"

namespace hone {

// Sequences that are being decoded side by side, and what the model remembers
// of each: keys and values of attention (or the running sums of the linear
// kinds), and for an encoder-decoder the encoded source. Rows may have read
// different numbers of tokens. Not thread-safe.
class DecodeBatch {
 public:
  virtual ~DecodeBatch() = default;

  // Reads `count` further tokens of every row. tokens: row major [rows, count].
  // Returns the logits after each of them, row major [rows, count, vocabulary].
  // Throws Error{kUsage} when a row would grow beyond max_tokens.
  virtual std::vector<float> Extend(const std::vector<std::int64_t>& tokens,
                                    std::int64_t count) = 0;
  // Keeps the given rows, in the given order; a row may be named twice (beam
  // search) or not at all (a finished sequence).
  virtual void Select(const std::vector<std::int64_t>& rows) = 0;
  // Moves the rows of `more`, a batch of the same model, behind these.
  virtual void Append(std::unique_ptr<DecodeBatch> more) = 0;
  // Forgets all but the first lengths[row] tokens of each row. Requires:
  // nothing from before the last Extend is forgotten.
  virtual void Truncate(const std::vector<std::int64_t>& lengths) = 0;
};

struct StepModelInfo {
  std::int64_t vocabulary = 0;
  std::int64_t max_tokens = 0;  // that one row may read
};

// A decoder that is run token by token. Implemented by the eager interpreter
// and by each engine; everything in this folder works on either.
class StepModel {
 public:
  virtual ~StepModel() = default;
  virtual StepModelInfo Info() const = 0;
  // One row for each source; a decoder without encoder takes empty sources.
  // The model must outlive the batch.
  virtual std::unique_ptr<DecodeBatch> Start(
      const std::vector<std::vector<std::int64_t>>& sources) = 0;
  // The clock that runs are timed by; only differences mean something. An
  // engine in another process has a clock there that goes during inferences
  // alone.
  virtual double ClockMs() const { return SteadyMs(); }
};

}  // namespace hone
