#include "eval/latency_probe.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "eval/machine_lock.h"
#include "train/compress/quantize.h"
#include "train/distill/teacher_options.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr std::uint64_t kSeed = 0;
constexpr double kRoundMilliseconds = 3;
// As many as a study times side by side by default, so that caches are as warm.
constexpr std::size_t kBatch = 8;
constexpr int kAttempts = 3;
constexpr double kDrift = 1.03;

}  // namespace

LatencyProbe::LatencyProbe(Engine& engine, const TaskShape& task,
                           const TaskData& calibration,
                           const MeasurementOptions& measurement,
                           std::int64_t rounds,
                           std::filesystem::path lock_folder)
    : engine_(engine),
      task_(task),
      calibration_(calibration),
      measurement_(measurement),
      lock_folder_(std::move(lock_folder)),
      reference_ms_(std::numeric_limits<double>::infinity()) {
  measurement_.rounds = rounds;
  measurement_.round_milliseconds = kRoundMilliseconds;
  reference_ = Load(TeacherArchitecture(TeacherOptions{}, task_.topology));
}

std::unique_ptr<TimedNetwork> LatencyProbe::Load(
    const Architecture& architecture) const {
  const NamedTensors quantized = QuantizeNetwork(
      architecture, task_, InitialWeights(architecture, task_, kSeed),
      calibration_, {.calibration = "min-max"});
  return ExportTimed(engine_, architecture, task_, quantized, measurement_,
                     kSeed);
}

std::vector<double> LatencyProbe::Quietest(const std::vector<TimedRun>& runs) {
  std::vector<double> quietest(runs.size(),
                               std::numeric_limits<double>::infinity());
  const MeasuringPermit permit(lock_folder_);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto latencies = TimeInTurn(runs, measurement_, kSeed);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const auto& rounds = latencies[i].rounds_ms;
      quietest[i] = std::min(quietest[i],
                             *std::min_element(rounds.begin(), rounds.end()));
    }
    if (quietest[0] <= kDrift * reference_ms_) break;
  }
  reference_ms_ = std::min(reference_ms_, quietest[0]);
  return quietest;
}

std::vector<ProbedLatency> LatencyProbe::Measure(
    const std::vector<Architecture>& architectures) {
  std::vector<ProbedLatency> results;
  for (std::size_t first = 0; first < architectures.size(); first += kBatch) {
    std::vector<std::unique_ptr<TimedNetwork>> networks;
    std::vector<TimedRun> runs = {[&] { return reference_->Milliseconds(); }};
    const std::size_t end = std::min(first + kBatch, architectures.size());
    for (std::size_t i = first; i < end; ++i) {
      networks.push_back(Load(architectures[i]));
      runs.emplace_back(
          [&one = *networks.back()] { return one.Milliseconds(); });
    }
    const std::vector<double> quietest = Quietest(runs);
    for (std::size_t i = 1; i < quietest.size(); ++i) {
      results.push_back({quietest[i], quietest[i] / quietest[0]});
    }
  }
  return results;
}

}  // namespace hone
