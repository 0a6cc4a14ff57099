#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "eval/decode/step_model.h"

namespace hone {

// What one sequence starts from.
struct Prompt {
  // What an encoder reads; empty for a decoder without encoder.
  std::vector<std::int64_t> source;
  // What the decoder has read before the first new token, such as the token
  // that marks the begin. At least one.
  std::vector<std::int64_t> tokens;
};

// A row that goes on: the row that it goes on from, counted among the rows of
// its prompt, and the token that it reads next.
struct Continuation {
  std::int64_t row = 0;
  std::int64_t token = 0;
};

// How one prompt is decoded: a search over one or several rows.
class Decoding {
 public:
  virtual ~Decoding() = default;
  // logits: row major [rows, vocabulary], after the last token of each row of
  // this prompt. There is one row at first, then one for each continuation
  // that was returned last. None returned: the prompt is done.
  virtual std::vector<Continuation> Advance(std::span<const float> logits) = 0;
};

// Runs decodings[k] on prompts[k]; at most `batch` prompts are in the model at
// a time. Whenever one is done, its rows leave and the next prompt enters
// (continuous batching, Yu et al. 2022): prompts that enter together and are
// equally long are read together. What a decoding sees never depends on `batch`
// or on other prompts, as far as the model's own rounding does not.
// Requires: checked prompts, batch >= 1, equally many decodings as prompts.
void DecodeSideBySide(StepModel& model, const std::vector<Prompt>& prompts,
                      std::int64_t batch,
                      const std::vector<std::unique_ptr<Decoding>>& decodings);

// Throws Error{kUsage} unless every prompt has a token, all its tokens and the
// end token are below info.vocabulary, and none is longer than max_tokens.
void CheckPrompts(const std::vector<Prompt>& prompts, const StepModelInfo& info,
                  std::optional<std::int64_t> end_token);

// How many new tokens can follow `prompt`: at most max_new_tokens, and what the
// model may read; the last new token need not be read.
std::int64_t NewTokenLimit(const Prompt& prompt, const StepModelInfo& info,
                           std::int64_t max_new_tokens);

}  // namespace hone
