#include <optional>

#include "eval/export/onnx_export.h"
#include "eval/latency_probe.h"
#include "eval/simulated_evaluator.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/latency_study.h"
#include "experiments/progress.h"
#include "experiments/study_files.h"
#include "space/base/error.h"

namespace hone {
namespace {

// Examples that ranges of activations are read from: any will do for a latency.
constexpr std::size_t kCalibrationExamples = 16;

// What times the networks of a spec, and all that its latencies depend on.
class Timer {
 public:
  Timer(const SearchSpec& spec, const Workbench& workbench)
      : workbench_(workbench) {
    const TaskShape& task = workbench.task();
    device_ = {{"task", FieldsToJson(spec.task)},
               {"vocabulary", task.vocabulary},
               {"classes", task.classes}};
    MeasurementOptions measurement = workbench.measurement();
    if (ParseFidelity(spec.search.fidelity) == Fidelity::kTrained) {
      engine_ = MakeEngine(measurement.engine);
    }
    if (engine_) {
      calibration_ = SomeRows(workbench.data().train, kCalibrationExamples);
      probe_.emplace(*engine_, task, calibration_, measurement,
                     MachineLockFolder());
      measurement = probe_->measurement();
      device_["engine"] = engine_->Describe();
      device_["exporter"] = kOnnxExporterVersion;
    }
    device_["measurement"] = FieldsToJson(measurement);
  }

  const Json& device() const { return device_; }
  std::vector<ProbedLatency> Measure(const std::vector<Architecture>& batch) {
    if (probe_) return probe_->Measure(batch);
    std::vector<ProbedLatency> latencies;
    for (const Architecture& one : batch) latencies.push_back(Simulated(one));
    return latencies;
  }

 private:
  ProbedLatency Simulated(const Architecture& architecture) const {
    const MeasurementOptions& how = workbench_.measurement();
    const auto milliseconds = [&](const Architecture& one) {
      return SimulatedLatencyMs(one, workbench_.task(), how.batch, how.tokens);
    };
    const double own = milliseconds(architecture);
    return {own, own / milliseconds(TeacherArchitecture(
                           TeacherOptions{}, workbench_.task().topology))};
  }

  const Workbench& workbench_;
  Json device_;
  std::unique_ptr<Engine> engine_;
  TaskData calibration_;
  std::optional<LatencyProbe> probe_;
};

int RunPredict(const Arguments& arguments, const CommandContext& context) {
  const SearchSpec spec =
      ReadSearchSpec(arguments.positionals[0], arguments.All("set"));
  LatencyStudyOptions options;
  options.measurements =
      arguments.Integer("measurements", options.measurements, 2, 100'000);
  options.held_out =
      arguments.Integer("held-out", options.held_out, 0, 100'000);
  options.seed = static_cast<std::uint64_t>(spec.study.seed);
  const std::filesystem::path artifacts = ArtifactsPath(DefaultStudyPath(spec));
  const Workbench workbench(spec, artifacts, 1, {}, &context.cancelled);
  Timer timer(spec, workbench);
  const ArtifactStore store(artifacts);
  const LatencyTable table(store, timer.device(),
                           [&](const std::vector<Architecture>& batch) {
                             return timer.Measure(batch);
                           });
  ProgressReporter progress(context.err, context.err_is_terminal);
  const LatencyStudy study =
      RunLatencyStudy(workbench.space(), table, options, [&](double done) {
        if (context.cancelled)
          throw Error(ErrorCode::kCancelled, "interrupted");
        progress.OnPhase("measuring", done, 1);
      });
  progress.Clear();
  if (arguments.Has("json")) {
    Json json = ToJson(study);
    json["device"] = timer.device();
    PrintJson(json, context);
  } else {
    context.out << LatencyStudyPage(study);
  }
  return kExitDone;
}

}  // namespace

Command PredictCommand() {
  return {
      {"predict",
       "learns what networks of a space cost on this machine",
       "SPEC",
       1,
       1,
       {{"measurements", "N", "networks to learn from, at most (100)"},
        {"held-out", "N", "networks that test it, each measured twice (60)"},
        {"set", "TABLE.KEY=VALUE", "override a field of the spec"},
        {"json", "", "print JSON, with every network"}},
       "hone predict experiments/specs/gloss.toml"},
      RunPredict};
}

}  // namespace hone
