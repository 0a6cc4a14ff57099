#include "eval/latency_timer.h"

#include "eval/export/onnx_export.h"
#include "eval/simulated_evaluator.h"
#include "eval/stage_inputs.h"
#include "train/distill/teacher_options.h"

namespace hone {
namespace {

// Examples that ranges of activations are read from: any will do for a latency.
constexpr std::size_t kCalibrationExamples = 16;

}  // namespace

LatencyTimer::LatencyTimer(Engine* engine, const TaskShape& task,
                           const TaskData& train,
                           const MeasurementOptions& measurement,
                           std::int64_t rounds,
                           const std::filesystem::path& lock_folder)
    : task_(task),
      measurement_(measurement),
      device_({{"task", TaskToJson(task)}}) {
  if (engine != nullptr) {
    calibration_ = SomeRows(train, kCalibrationExamples);
    probe_.emplace(*engine, task, calibration_, measurement, rounds,
                   lock_folder);
    measurement_ = probe_->measurement();
    device_["engine"] = engine->Describe();
    device_["exporter"] = kOnnxExporterVersion;
  }
  device_["measurement"] = FieldsToJson(measurement_);
}

std::vector<ProbedLatency> LatencyTimer::Measure(
    const std::vector<Architecture>& architectures) {
  if (probe_) return probe_->Measure(architectures);
  std::vector<ProbedLatency> latencies;
  for (const Architecture& one : architectures) {
    latencies.push_back(Simulated(one));
  }
  return latencies;
}

ProbedLatency LatencyTimer::Simulated(const Architecture& architecture) const {
  const auto milliseconds = [&](const Architecture& one) {
    return SimulatedLatencyMs(one, task_, measurement_.batch,
                              measurement_.tokens);
  };
  const double own = milliseconds(architecture);
  return {own, own / milliseconds(TeacherArchitecture(TeacherOptions{},
                                                      task_.topology))};
}

}  // namespace hone
