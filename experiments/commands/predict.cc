#include <memory>

#include "eval/latency_probe.h"
#include "eval/latency_table.h"
#include "eval/latency_timer.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/latency_study.h"
#include "experiments/progress.h"
#include "experiments/study_files.h"
#include "space/base/error.h"

namespace hone {
namespace {

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
  std::unique_ptr<Engine> engine;
  if (ParseFidelity(spec.search.fidelity) == Fidelity::kTrained) {
    engine = MakeEngine(workbench.measurement().engine);
  }
  const TaskData none;
  LatencyTimer timer(
      engine.get(), workbench.task(), engine ? workbench.data().train : none,
      workbench.measurement(), LatencyProbe::kFineRounds, MachineLockFolder());
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
