#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eval/decode/side_by_side.h"
#include "eval/decode/step_model.h"
#include "space/base/fields.h"
#include "space/base/rng.h"

namespace hone {

struct GenerateOptions {
  std::int64_t max_new_tokens = 128;
  double temperature = 0;
  std::int64_t top_k = 0;
  double top_p = 1;
  std::int64_t batch = 16;
  // The token that ends a text; without one, only length does.
  std::optional<std::int64_t> end_token = std::nullopt;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("max_new_tokens", self.max_new_tokens, InRange{1, 1e6},
          "tokens after which a text is cut");
    visit("temperature", self.temperature, InRange{0, 100},
          "what logits are divided by; 0: always the likeliest token");
    visit("top_k", self.top_k, InRange{0, 1e6},
          "draw from this many likeliest tokens; 0: from all");
    visit("top_p", self.top_p, InRange{1e-6, 1},
          "draw from the fewest likeliest tokens that have this probability");
    visit("batch", self.batch, InRange{1, 65536}, "sequences side by side");
  }
};

// New tokens for each prompt, without the prompt and without the end token.
// A text ends with the end token, after max_new_tokens, or when the model has
// read max_tokens. Result k depends on prompt k, k and the seed alone, never on
// the batch size: token i of prompt k is drawn from the stream
// (seed, k, "sample i"). At most options.batch sequences decode side by side; a
// finished one is replaced at once (DecodeSideBySide).
// Throws Error{kUsage} for options out of range and for bad prompts.
std::vector<std::vector<std::int64_t>> Generate(
    StepModel& model, const std::vector<Prompt>& prompts,
    const GenerateOptions& options, std::uint64_t seed);

// The largest logit's token; among equals, the smallest number. logits:
// [vocabulary]. Throws Error{kInternal} for NaN.
std::int64_t Greedy(std::span<const float> logits);

// A token drawn from softmax(logits / temperature), first cut to the top_k
// likeliest tokens, then, renormalised, to the nucleus: the fewest likeliest
// tokens whose probabilities sum to top_p or more (Holtzman et al. 2020); then
// renormalised again. Among equals, the smaller numbers are kept. Temperature 0
// is Greedy and draws nothing. logits: [vocabulary]; minus infinity is a token
// that never comes. Throws Error{kInternal} for NaN, and unless the largest
// logit is finite.
std::int64_t SampleToken(std::span<const float> logits,
                         const GenerateOptions& options, Rng& rng);

}  // namespace hone
