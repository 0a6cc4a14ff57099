#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "eval/latency_predictor.h"
#include "eval/latency_table.h"
#include "space/base/json.h"

namespace hone {

struct LatencyStudyOptions {
  std::int64_t measurements = 100;  // to learn from
  std::int64_t held_out = 60;       // more networks, each measured twice
  std::uint64_t seed = 0;
};

// A network that the predictor has not seen.
struct HeldOutLatency {
  Architecture architecture;
  Belief predicted;
  double first = 0;   // ratio to the reference model
  double second = 0;  // the same, measured again later
  double Mean() const { return (first + second) / 2; }
};

// What a predictor of latencies (eval/latency_predictor.h) learned and how well
// it does. All but `reference_ms` are ratios to the reference model.
struct LatencyStudy {
  double reference_ms = 0;
  std::vector<std::pair<BlockStacks, BlockCost>> blocks;
  std::vector<MeasuredLatency> measured;  // stacks, then networks
  double noise_share = 0;                 // of a latency, as the model sees it
  std::vector<HeldOutLatency> held_out;
  LatencyErrors errors;         // of predictions, beside the mean of both
  LatencyErrors repeat_errors;  // of the second measurement, beside the first
  double covered = 0;  // share of held-out latencies in their 95 % intervals
};

// Measures two fifths of the networks as stacks of random block kinds, and then
// in batches those that the predictor asks for, out of random members of the
// space; then the held-out networks, members drawn apart from those, once and
// once more. `on_batch` is told the share that is done, before each batch.
LatencyStudy RunLatencyStudy(const SearchSpace& space,
                             const LatencyTable& table,
                             const LatencyStudyOptions& options,
                             const std::function<void(double done)>& on_batch);

// For people, at most 80 columns; and for programs, with every number.
std::string LatencyStudyPage(const LatencyStudy& study);
Json ToJson(const LatencyStudy& study);

}  // namespace hone
