#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "eval/engine/engine.h"
#include "eval/latency.h"
#include "eval/latency_probe.h"
#include "eval/latency_table.h"
#include "space/architecture.h"
#include "space/base/json.h"
#include "space/cost.h"
#include "train/data/task_data.h"

namespace hone {

// What a LatencyTable of a task measures with: the probe of an engine, or the
// cost model in place of the simulated one.
class LatencyTimer {
 public:
  // `rounds`: of the probe. `engine`: null for the simulated one, and then
  // `train`, whose activations are rounded otherwise, is not read. Engine and
  // task must outlive the timer.
  LatencyTimer(Engine* engine, const TaskShape& task, const TaskData& train,
               const MeasurementOptions& measurement, std::int64_t rounds,
               const std::filesystem::path& lock_folder);
  // The probe holds on to its members.
  LatencyTimer(const LatencyTimer&) = delete;
  LatencyTimer& operator=(const LatencyTimer&) = delete;

  // All that a latency depends on beside the architecture.
  const Json& device() const { return device_; }
  std::vector<ProbedLatency> Measure(
      const std::vector<Architecture>& architectures);

 private:
  ProbedLatency Simulated(const Architecture& architecture) const;

  const TaskShape& task_;
  MeasurementOptions measurement_;
  TaskData calibration_;
  std::optional<LatencyProbe> probe_;
  Json device_;
};

}  // namespace hone
