#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "eval/decode/side_by_side.h"
#include "eval/decode/step_model.h"
#include "space/base/fields.h"

namespace hone {

struct BeamOptions {
  std::int64_t beam = 4;
  std::int64_t hypotheses = 1;
  double length_penalty = 0.6;
  std::int64_t max_new_tokens = 128;
  std::int64_t batch = 8;
  bool early_stop = true;
  // The token that ends a text; without one, only length does.
  std::optional<std::int64_t> end_token = std::nullopt;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("beam", self.beam, InRange{1, 4096},
          "continuations of a text that are kept at each step");
    visit("hypotheses", self.hypotheses, InRange{1, 4096},
          "texts returned for each prompt, best first");
    visit("length_penalty", self.length_penalty, InRange{0, 10},
          "alpha: how much longer texts are favoured; 0: not at all");
    visit("max_new_tokens", self.max_new_tokens, InRange{1, 1e6},
          "tokens after which a text is cut");
    visit("batch", self.batch, InRange{1, 65536}, "prompts side by side");
    visit("early_stop", self.early_stop, AnyValue{},
          "stop when nothing that follows can change the result");
  }
};

struct Hypothesis {
  std::vector<std::int64_t> tokens;  // new ones, without the end token
  double log_probability = 0;        // natural, of tokens and end token
  double score = 0;
  bool ended = false;  // by the end token; else cut
};

// ((5 + length) / 6)^alpha (Wu et al. 2016, equation 14, without coverage).
double LengthPenalty(std::int64_t length, double alpha);

// The best hypotheses for each prompt, best first: options.hypotheses of them,
// or fewer when the search meets fewer. At each step the `beam` likeliest
// one-token continuations of all live hypotheses are kept. Those whose token is
// the end token are finished; the others live on. A hypothesis of
// NewTokenLimit tokens is cut and counts as finished. The score of a finished
// hypothesis is log_probability / LengthPenalty(length, alpha), where length
// counts the end token. Beam 1 is Greedy; a beam at least as wide as the number
// of possible texts is exhaustive.
//
// Stops when `hypotheses` finished ones score at least as high as any live one
// still can. A log probability only falls, and is never above 0, and the
// penalty only grows with length; so a live hypothesis can reach at most
// log_probability / LengthPenalty(longest possible length, alpha).
//
// Ties: the earlier finished; among continuations, those of the likelier
// hypothesis, then the smaller token. Tokens of logit minus infinity never
// come. Results do not depend on options.batch (see DecodeSideBySide).
// Throws Error{kUsage} for options out of range and for bad prompts, and
// Error{kInternal} for logits that are NaN or plus infinity.
std::vector<std::vector<Hypothesis>> BeamSearch(
    StepModel& model, const std::vector<Prompt>& prompts,
    const BeamOptions& options);

}  // namespace hone
