#include <algorithm>

#include "eval/faster_layers.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/study_files.h"
#include "experiments/study_view.h"
#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

// A value of the stored trial beside that of the repeated one.
struct Comparison {
  std::string what;
  std::string stored;
  std::string repeated;
  bool must_be_equal = true;
  bool Holds() const { return !must_be_equal || stored == repeated; }
};

// What no repeat can reproduce: readings of a clock and of the memory.
bool IsReading(const std::string& metric, const SearchSpec& spec) {
  if (IsWallClock(metric)) return true;
  return spec.measurement.engine != "simulated" &&
         (IsLatency(metric) || metric == "peak_memory_bytes");
}

std::string FailureText(const Trial& trial) {
  const auto* failure = std::get_if<Failure>(&trial.outcome);
  return failure ? failure->code : "";
}

std::vector<Comparison> Compare(const Trial& stored, const Trial& repeated,
                                const SearchSpec& spec) {
  std::vector<Comparison> rows = {
      {"state", std::string(Name(stored.state())),
       std::string(Name(repeated.state()))},
      {"failure", FailureText(stored), FailureText(repeated)}};
  const auto add = [&](const Trial& trial, std::string Comparison::*side) {
    const auto* measurement = std::get_if<Measurement>(&trial.outcome);
    if (!measurement) return;
    const auto row = [&](const std::string& what) -> Comparison& {
      const auto found =
          std::find_if(rows.begin(), rows.end(),
                       [&](const Comparison& r) { return r.what == what; });
      return found != rows.end() ? *found
                                 : rows.emplace_back(Comparison{what, "", ""});
    };
    for (const Artifact& artifact : measurement->artifacts) {
      row(artifact.role).*side = artifact.sha256;
    }
    for (const auto& [name, metric] : measurement->metrics) {
      Comparison& comparison = row(name);
      comparison.*side = Json(metric.value).dump();
      comparison.must_be_equal = !IsReading(name, spec);
    }
  };
  add(stored, &Comparison::stored);
  add(repeated, &Comparison::repeated);
  return rows;
}

Trial Repeat(const Trial& stored, SearchSpec spec,
             const std::filesystem::path& artifacts,
             const CommandContext& context) {
  // Which engine is faster, and which layers are faster in f32, are readings
  // too; quality is of the stored ones.
  spec.measurement.engine = EngineOf(spec.measurement, stored.outcome);
  ProgressReporter progress(context.err, context.err_is_terminal);
  Workbench workbench(spec, artifacts, 1, progress.PhaseCallback(),
                      &context.cancelled);
  workbench.CheckData(stored);
  Candidate candidate{stored.number, stored.architecture, stored.seed,
                      stored.fidelity};
  candidate.exported =
      ExportedArchitecture(stored.architecture, stored.outcome);
  Trial repeated = stored;
  repeated.outcome = workbench.evaluator().Evaluate({candidate}).at(0);
  return repeated;
}

void Print(const std::vector<Comparison>& rows, bool equal,
           const Arguments& arguments, const CommandContext& context) {
  if (arguments.Has("json")) {
    Json json = Json::array();
    for (const Comparison& row : rows) {
      json.push_back({{"what", row.what},
                      {"stored", row.stored},
                      {"repeated", row.repeated},
                      {"must_be_equal", row.must_be_equal},
                      {"equal", row.stored == row.repeated}});
    }
    PrintJson({{"equal", equal}, {"values", json}}, context);
    return;
  }
  Table table{{{"value"}, {"verdict"}, {"stored"}, {"repeated"}}, {}};
  for (const Comparison& row : rows) {
    if (row.stored.empty() && row.repeated.empty()) continue;
    table.AddRow({row.what,
                  row.stored == row.repeated ? "equal"
                  : row.must_be_equal        ? "DIFFERS"
                                             : "reading",
                  row.stored.substr(0, 20), row.repeated.substr(0, 20)});
  }
  context.out << ToText(table)
              << (equal ? "\nThe repeat is equal, bit by bit.\n"
                        : "\nThe repeat differs.\n");
}

int RunRerun(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path path = arguments.positionals[0];
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  const StudyView study = ReadStudy(path);
  const Trial& stored = TrialNumbered(study, number);
  const SearchSpec spec = SpecFromJson(study.info.spec);
  const ScratchFolder scratch(path.string() + ".rerun-" +
                              std::to_string(number));
  const Trial repeated = Repeat(stored, spec, scratch.path(), context);
  const std::vector<Comparison> rows = Compare(stored, repeated, spec);
  const bool equal =
      std::all_of(rows.begin(), rows.end(),
                  [](const Comparison& row) { return row.Holds(); });
  Print(rows, equal, arguments, context);
  return equal ? kExitDone : kExitIntegrity;
}

}  // namespace

Command RerunCommand() {
  return {{"rerun",
           "train a trial again from its row and compare bit by bit",
           "STUDY N",
           2,
           2,
           {{"json", "", "print JSON"}},
           "hone rerun studies/gloss.db 12"},
          RunRerun};
}

}  // namespace hone
