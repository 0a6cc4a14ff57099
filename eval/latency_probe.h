#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "eval/latency.h"
#include "eval/latency_table.h"
#include "eval/timed_network.h"
#include "space/architecture.h"
#include "train/data/task_data.h"

namespace hone {

// Times untrained networks: what an exported file costs does not depend on what
// its weights say, so that latencies can be learned before anything is trained.
//
// By the protocol of docs/measurement.md, but in short rounds of which the
// quietest counts, since a neighbour can only add to a latency; where the
// reference model was slower than it has been, everything is timed again, three
// times at most.
class LatencyProbe {
 public:
  // Rounds of 3 ms for each network: as many as tell latencies apart by half a
  // percent, or by one or two.
  static constexpr std::int64_t kFineRounds = 150;
  static constexpr std::int64_t kCoarseRounds = 40;

  // `calibration`: a few examples, which ranges of activations are read from.
  // `rounds` takes the place of the measurement's. References must outlive the
  // probe.
  LatencyProbe(Engine& engine, const TaskShape& task,
               const TaskData& calibration,
               const MeasurementOptions& measurement, std::int64_t rounds,
               std::filesystem::path lock_folder);
  // Timed networks hold on to its members.
  LatencyProbe(const LatencyProbe&) = delete;
  LatencyProbe& operator=(const LatencyProbe&) = delete;

  // Each is exported with initial weights, rounded to its precisions, and timed
  // in turn with the others and with the reference model (TeacherOptions{}),
  // while nothing of Hone trains. Files are written below the system's folder
  // for temporary files, and removed. Throws as Engine::Load.
  std::vector<ProbedLatency> Measure(
      const std::vector<Architecture>& architectures);
  const MeasurementOptions& measurement() const { return measurement_; }

 private:
  std::unique_ptr<TimedNetwork> Load(const Architecture& architecture) const;
  // The quietest round of each, in milliseconds; the reference is the first.
  std::vector<double> Quietest(const std::vector<TimedRun>& runs);

  Engine& engine_;
  const TaskShape& task_;
  const TaskData& calibration_;
  MeasurementOptions measurement_;
  std::filesystem::path lock_folder_;
  std::unique_ptr<TimedNetwork> reference_;
  double reference_ms_;  // its quietest round so far
};

}  // namespace hone
