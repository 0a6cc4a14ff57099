#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/progress.h"
#include "experiments/sensitivity_report.h"
#include "experiments/study_files.h"
#include "experiments/study_view.h"
#include "space/base/error.h"
#include "train/compress/block_changes.h"

namespace hone {
namespace {

// Those of the study's space beside f32, or a few.
std::vector<Precision> PrecisionsOf(const SearchSpec& spec) {
  std::vector<Precision> precisions;
  for (const std::string& word : spec.space.precision) {
    const Precision precision = ParsePrecision(word);
    if (!precision.IsFloat()) precisions.push_back(precision);
  }
  if (!precisions.empty()) return precisions;
  return {ParsePrecision("w8a8"), ParsePrecision("w4"), ParsePrecision("w2")};
}

const Trial& TrainedTrial(const StudyView& study, std::int64_t number) {
  const Trial& trial = TrialNumbered(study, number);
  const std::string name = "trial " + std::to_string(number);
  if (trial.fidelity == Fidelity::kCost) {
    throw Error(ErrorCode::kUsage,
                name +
                    " was not trained, so there is no network to change; a "
                    "search with search.fidelity = \"trained\" trains");
  }
  if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
    throw Error(ErrorCode::kUsage, name + " failed (" + failure->reason +
                                       "); name a complete one");
  }
  return trial;
}

// As the study made the trial, but nothing is trained that was not.
SearchSpec WithoutTraining(SearchSpec spec, const Trial& trial) {
  spec.measurement.engine = EngineOf(spec.measurement, trial.outcome);
  spec.quantization.qat_steps = 0;
  spec.quantization.f32_where_faster = false;
  return spec;
}

// The network in f32, then what can be made of it, in one batch.
std::vector<Candidate> CandidatesOf(const Trial& trial,
                                    const std::vector<BlockChange>& changes) {
  const Architecture network = WithoutPrecision(trial.architecture);
  std::vector<Candidate> batch{{0, network, trial.seed, trial.fidelity}};
  for (const BlockChange& change : changes) {
    if (!change.refusal.empty()) continue;
    Candidate candidate{static_cast<std::int64_t>(batch.size()),
                        change.architecture, trial.seed, trial.fidelity};
    if (change.cut) candidate.parent = network;
    if (change.drops_block) candidate.dropped = change.block;
    batch.push_back(std::move(candidate));
  }
  return batch;
}

Sensitivity ResultsOf(const Trial& trial,
                      const std::vector<Objective>& objectives,
                      const std::vector<BlockChange>& changes,
                      std::vector<Outcome> outcomes) {
  if (const auto* failure = std::get_if<Failure>(&outcomes.front())) {
    throw Error(ErrorCode::kUsage, "the network in f32: " + failure->reason);
  }
  Sensitivity sensitivity;
  sensitivity.trial = trial.number;
  sensitivity.base = std::get<Measurement>(std::move(outcomes.front()));
  sensitivity.metric = QualityMetric(objectives, sensitivity.base);
  std::size_t next = 1;
  for (const BlockChange& change : changes) {
    const bool made = change.refusal.empty();
    sensitivity.results.push_back(
        {change.kind, change.block,
         made ? std::move(outcomes[next++])
              : Outcome(Failure{"refused", change.refusal})});
  }
  return sensitivity;
}

bool SomeFailed(const Sensitivity& sensitivity) {
  for (const BlockResult& result : sensitivity.results) {
    const auto* failure = std::get_if<Failure>(&result.outcome);
    if (failure && failure->code != "refused") return true;
  }
  return false;
}

int RunSensitivity(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path path = arguments.positionals[0];
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  const StudyView study = ReadStudy(path);
  const Trial& trial = TrainedTrial(study, number);
  const SearchSpec spec = WithoutTraining(SpecFromJson(study.info.spec), trial);
  const std::vector<BlockChange> changes =
      BlockChanges(WithoutPrecision(trial.architecture), PrecisionsOf(spec));
  ProgressReporter progress(context.err, context.err_is_terminal);
  Workbench workbench(spec, ArtifactsPath(path), 1, progress.PhaseCallback(),
                      &context.cancelled);
  workbench.CheckData(trial);
  CompressionOptions cutting = spec.compression;
  cutting.rounds = 1;
  cutting.steps = 0;
  workbench.SetParentCompression(cutting);
  const Sensitivity sensitivity =
      ResultsOf(trial, study.info.objectives, changes,
                workbench.evaluator().Evaluate(CandidatesOf(trial, changes)));
  progress.Clear();
  if (arguments.Has("json")) {
    PrintJson(ToJson(sensitivity), context);
  } else {
    context.out << SensitivityPage(sensitivity);
  }
  return SomeFailed(sensitivity) ? kExitSomeFailed : kExitDone;
}

}  // namespace

Command SensitivityCommand() {
  return {{"sensitivity",
           "what each block of a trained model can do without",
           "STUDY N",
           2,
           2,
           {{"json", "", "print JSON"}},
           "hone sensitivity studies/gloss.db 12"},
          RunSensitivity};
}

}  // namespace hone
