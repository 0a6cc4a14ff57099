#include <algorithm>

#include "eval/faster_layers.h"
#include "eval/latency.h"
#include "eval/latency_predictor.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/study_files.h"
#include "experiments/study_view.h"
#include "search/objective.h"
#include "space/base/error.h"

namespace hone {
namespace {

// A finalist as the study has it and as it was measured again.
struct Again {
  Trial stored;
  Trial repeated;
  std::vector<Constraint> broken;  // by the second measurement's value
};

double LatencyOf(const Trial& trial) {
  return MinimizedValues(trial, {{"latency_ms", Direction::kMinimize}}).front();
}

// All in one batch, so that they are timed in turn. What stages have filed is
// found again, so only scores and times are new.
std::vector<Again> MeasureAgain(const StudyView& study,
                                const std::filesystem::path& path,
                                const CommandContext& context) {
  ProgressReporter progress(context.err, context.err_is_terminal);
  Workbench workbench(SpecFromJson(study.info.spec), ArtifactsPath(path),
                      DefaultWorkers(), progress.PhaseCallback(),
                      &context.cancelled);
  std::vector<Candidate> candidates;
  for (const Trial& one : study.front) {
    workbench.CheckData(one);
    candidates.push_back(
        {one.number, one.architecture, one.seed, one.fidelity});
    candidates.back().exported =
        ExportedArchitecture(one.architecture, one.outcome);
  }
  std::vector<Outcome> outcomes = workbench.evaluator().Evaluate(candidates);
  std::vector<Again> finalists;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    Again one{study.front[i], study.front[i], {}};
    one.repeated.outcome = std::move(outcomes[i]);
    if (const auto* failure = std::get_if<Failure>(&one.repeated.outcome)) {
      throw Error(ErrorCode::kIntegrity,
                  "trial " + std::to_string(one.stored.number) +
                      " fails when it is measured again: " + failure->code +
                      ", " + failure->reason);
    }
    const auto& metrics = std::get<Measurement>(one.repeated.outcome).metrics;
    for (const Constraint& constraint : study.info.constraints) {
      const auto found = metrics.find(constraint.metric);
      if (found != metrics.end() && !Holds(constraint, found->second.value)) {
        one.broken.push_back(constraint);
      }
    }
    finalists.push_back(std::move(one));
  }
  return finalists;
}

std::string TextOf(const std::vector<Constraint>& broken) {
  std::string text;
  for (const Constraint& one : broken) {
    text += (text.empty() ? "" : ", ") + ToText(one);
  }
  return text;
}

void Print(const std::vector<Again>& finalists, const StudyInfo& info,
           const Arguments& arguments, const CommandContext& context) {
  std::vector<double> stored, repeated, shares;
  for (const Again& one : finalists) {
    stored.push_back(LatencyOf(one.stored));
    repeated.push_back(LatencyOf(one.repeated));
    shares.push_back(repeated.back() / stored.back());
  }
  const double drift = Median(shares);
  const auto broken =
      std::count_if(finalists.begin(), finalists.end(),
                    [](const Again& one) { return !one.broken.empty(); });
  if (arguments.Has("json")) {
    Json trials = Json::array();
    for (const Again& one : finalists) {
      Json constraints = Json::array();
      for (const Constraint& each : one.broken) {
        constraints.push_back(ToText(each));
      }
      trials.push_back({{"trial", one.stored.number},
                        {"stored", ToJson(one.stored)["metrics"]},
                        {"again", ToJson(one.repeated)["metrics"]},
                        {"broken", constraints}});
    }
    PrintJson({{"drift", drift}, {"broken", broken}, {"trials", trials}},
              context);
    return;
  }
  const bool bounded = !info.constraints.empty();
  Table table{
      {{"trial", true}, {"latency ms", true}, {"again", true}, {"ratio", true}},
      {}};
  if (bounded) table.columns.push_back({"breaks", false, 16});
  table.columns.push_back({"architecture"});
  for (std::size_t i = 0; i < finalists.size(); ++i) {
    std::vector<std::string> row = {
        std::to_string(finalists[i].stored.number), NumberText(stored[i]),
        NumberText(repeated[i]), NumberText(shares[i])};
    if (bounded) row.push_back(TextOf(finalists[i].broken));
    row.push_back(ShortText(finalists[i].stored.architecture));
    table.AddRow(std::move(row));
  }
  context.out << ToText(table) << "\nThe median of the ratios is "
              << NumberText(drift);
  if (finalists.size() > 1) {
    const LatencyErrors errors = Compare(repeated, stored);
    context.out << ", their rank correlation "
                << NumberText(errors.rank_correlation);
  }
  context.out << ".\n";
  if (bounded) {
    context.out << broken << " of " << finalists.size()
                << " break a constraint of the study when measured again.\n";
  }
}

int RunRemeasure(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path path = arguments.positionals[0];
  StudyView study = ReadFront(path);
  if (study.front.empty()) {
    throw Error(ErrorCode::kNotFound,
                path.string() + ": no trial is on the front");
  }
  study.front = InFrontOrder(std::move(study.front), study.info.objectives);
  const std::vector<Again> finalists = MeasureAgain(study, path, context);
  Print(finalists, study.info, arguments, context);
  return kExitDone;
}

}  // namespace

Command RemeasureCommand() {
  return {{"remeasure",
           "measure the front again, side by side, and check its constraints",
           "STUDY",
           1,
           1,
           {{"json", "", "print JSON"}},
           "hone remeasure studies/gloss.db"},
          RunRemeasure};
}

}  // namespace hone
