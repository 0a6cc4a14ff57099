#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/measurement.h"
#include "search/objective.h"
#include "space/base/json.h"

namespace hone {

// What one change of one block made of a network.
struct BlockResult {
  std::string change;  // "w4", "half the heads" (BlockChange::kind)
  std::string block;   // "encoder.0"
  Outcome outcome;     // a failure "refused" where it cannot be made
};

// A network in f32, and each change by itself, measured in turn.
struct Sensitivity {
  std::int64_t trial = 0;
  std::string metric;  // of quality, on the dev split
  Measurement base;
  std::vector<BlockResult> results;
};

// The first objective that is a quality, else the first quality that was
// measured, in the order of MetricNames(). Throws Error{kUsage} when there is
// none.
std::string QualityMetric(const std::vector<Objective>& objectives,
                          const Measurement& measurement);

// For people, at most 80 columns: kinds in the order given, the most harmless
// block of each first, and below what could not be made and why.
std::string SensitivityPage(const Sensitivity& sensitivity);

// The same order: {"trial", "quality": {"metric", "better": "larger"},
// "engine", "base": {..}, "changes": [{"change", "block", "quality",
// "difference", "file_bytes", "latency_ms"}]}, or "failure" with code and
// reason in place of numbers. Differences are to the base.
Json ToJson(const Sensitivity& sensitivity);

}  // namespace hone
