#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "eval/decode/side_by_side.h"
#include "eval/decode/step_model.h"
#include "space/base/fields.h"

namespace hone {

struct SpeculativeOptions {
  std::int64_t draft_tokens = 4;
  std::int64_t max_new_tokens = 128;
  // The token that ends a text; without one, only length does.
  std::optional<std::int64_t> end_token = std::nullopt;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("draft_tokens", self.draft_tokens, InRange{1, 64},
          "tokens that the draft proposes at a time");
    visit("max_new_tokens", self.max_new_tokens, InRange{1, 1e6},
          "tokens after which a text is cut");
  }
};

struct SpeculativeResult {
  // For each prompt the new tokens, without the end token.
  std::vector<std::vector<std::int64_t>> texts;
  std::int64_t target_calls = 0;  // of Extend; greedy decoding: one a token
  std::int64_t draft_calls = 0;
  std::int64_t proposed = 0;  // tokens of the draft
  std::int64_t accepted = 0;  // of those, what the target chose as well
};

// The texts of Generate at temperature 0 with the target, in fewer calls of it
// (Leviathan et al. 2023, for greedy decoding). In each round the draft
// proposes tokens one by one, each its likeliest; the target reads them all in
// one call, and what it finds likeliest after each is compared with what was
// proposed next. The proposals up to the first that differs are kept, and then
// one token of the target's own. Prompts are decoded one after another: this
// is for latency.
//
// Truncate forgets no more than the last call, so a draft reads its earlier
// proposals of the round again for each further one: draft_tokens calls a
// round, of 1, 1, 2, 3 ... tokens (the first of 2 when all were accepted
// before). That is cheap as long as calls are bound by reading weights.
//
// The draft may read fewer tokens than the target; a longer text goes on
// without it. Requires: logits of a token that do not depend on how many are
// read in one call, as far as the choice of the likeliest goes.
// Throws Error{kUsage} for options out of range, bad prompts, and models of
// different vocabularies.
SpeculativeResult DecodeSpeculatively(StepModel& target, StepModel& draft,
                                      const std::vector<Prompt>& prompts,
                                      const SpeculativeOptions& options);

}  // namespace hone
