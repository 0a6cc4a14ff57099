#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "eval/latency_predictor.h"
#include "search/trial.h"
#include "space/base/json.h"
#include "space/search_space.h"

namespace hone {

// How well a study's other measurements would have told the latencies of its
// front, every one of which was measured.
struct FinalistLatency {
  std::size_t learned_from = 0;  // trials
  std::size_t finalists = 0;
  double noise_share = 0;  // of a measurement, as the model sees it
  LatencyErrors errors;    // of the predictions, beside what was measured
};

// By a LatencyPredictor over `latency_ratio`, or `latency_ms` where there is no
// reference model, of at most 100 trials spread over the study whose
// architectures are not on the front. Empty with fewer than 10 of them or fewer
// than two finalists.
std::optional<FinalistLatency> PredictFinalists(
    const SearchSpace& space, const std::vector<Trial>& trials,
    const std::vector<Trial>& front);

std::string FinalistText(const std::optional<FinalistLatency>& finalists);
// {"learned_from", "finalists", "noise_share", "mean_share", "largest_share",
// "rank_correlation"}, or null.
Json FinalistToJson(const std::optional<FinalistLatency>& finalists);

}  // namespace hone
