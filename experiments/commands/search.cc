#include <algorithm>

#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/rungs_report.h"
#include "experiments/search_spec.h"
#include "experiments/study_files.h"
#include "experiments/study_findings.h"
#include "experiments/study_view.h"
#include "search/sqlite_trial_store.h"
#include "search/study.h"
#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

StudyInfo InfoOf(const SearchSpec& spec) {
  StudyInfo info;
  info.name = spec.study.name;
  info.spec = SpecToJson(spec);
  info.spec_hash = SpecHash(spec);
  info.seed = static_cast<std::uint64_t>(spec.study.seed);
  for (const std::string& text : spec.study.objectives) {
    info.objectives.push_back(ParseObjective(text));
  }
  for (const std::string& text : spec.study.constraints) {
    info.constraints.push_back(ParseConstraint(text));
  }
  info.program_version = ProgramVersion();
  return info;
}

// A study goes on only with the spec that it began with.
void CheckSameSpec(const StudyInfo& stored, const StudyInfo& given,
                   const std::filesystem::path& path) {
  if (stored.spec_hash == given.spec_hash) return;
  const auto shown = [](const std::string& value) {
    return value == "null" ? std::string("unknown") : value;
  };
  std::string message =
      path.string() + ": the study was begun with another spec:";
  for (const SpecDifference& one : SpecDifferences(stored.spec, given.spec)) {
    message += "\n  " + one.field + ": " + shown(one.first) +
               " in the study, " + shown(one.second) + " in the spec";
  }
  if (stored.program_version != given.program_version) {
    message += "\nIt was begun by hone " + stored.program_version + ".";
  }
  throw Error(ErrorCode::kUsage,
              message +
                  "\nUndo the changes, or begin another study with --study "
                  "FILE. More trials and other workers are always allowed.");
}

// The command that goes on with this search.
std::string ResumeCommand(const Arguments& arguments) {
  std::string command = "hone search " + arguments.positionals[0];
  if (arguments.Has("controls")) command += " --controls";
  for (const char* name : {"study", "workers", "set"}) {
    for (const std::string& value : arguments.All(name)) {
      command += std::string(" --") + name + " ";
      command += value.find_first_of(" \"'[]") == std::string::npos
                     ? value
                     : "'" + value + "'";
    }
  }
  return command;
}

int PrintEnd(const std::filesystem::path& path, const Arguments& arguments,
             const CommandContext& context) {
  StudyView study = ReadStudy(path);
  study.front = InFrontOrder(std::move(study.front), study.info.objectives);
  const std::string digest = StudyDigest(study.info.spec_hash, study.trials);
  const auto failed = std::count_if(
      study.trials.begin(), study.trials.end(),
      [](const Trial& t) { return t.state() == TrialState::kFailed; });
  const int status = failed > 0 ? kExitSomeFailed : kExitDone;
  const StudyFindings findings = FindingsOf(path, study);
  if (arguments.Has("json")) {
    PrintJson({{"study", path.string()},
               {"trials", study.trials.size()},
               {"failed", failed},
               {"digest", digest},
               {"fidelities", FidelitiesToJson(study.trials)},
               {"rungs", RungsToJson(study.trials, study.info.objectives)},
               {"findings", FindingsToJson(findings)},
               {"front", TrialsToJson(study.front)}},
              context);
    return status;
  }
  if (!study.front.empty()) {
    context.out << ToText(
                       SummaryTable(study.front, study.info.objectives, true))
                << "\n"
                << FrontPlot(study.trials, study.front, study.info.objectives)
                << "\n";
  }
  for (const std::string& section :
       {RungsText(study.trials, study.info.objectives),
        FindingsText(findings)}) {
    if (!section.empty()) context.out << section << "\n";
  }
  context.out << study.trials.size() << " trials, " << failed << " failed, "
              << study.front.size() << " on the front\ndigest " << digest
              << "\n";
  if (study.front.empty()) return status;
  const std::string one = std::to_string(study.front.front().number);
  context.err << "\nNext:\n  hone show " << path.string() << " " << one
              << "\n  hone trials " << path.string()
              << " --where \"latency_ms < 1\"\n";
  if (study.front.front().fidelity != Fidelity::kCost) {
    context.err << "  hone export " << path.string() << " " << one
                << " --out exported/" << study.info.name << "-" << one << "\n";
  }
  return status;
}

// The study's row: made, or checked and brought up to date. Returns how many
// trials there are.
std::int64_t BeginStudy(SqliteTrialStore& store, const StudyInfo& given,
                        const std::filesystem::path& path) {
  const std::optional<StudyInfo> stored = store.LoadStudy();
  if (!stored) {
    store.CreateStudy(given);
    return 0;
  }
  CheckSameSpec(*stored, given, path);
  if (stored->spec != given.spec) store.UpdateSpec(given.spec);
  return store.CountTrials();
}

// A study without a trial has nothing to lose, and may be begun with any spec.
void RemoveIfEmpty(const std::filesystem::path& path, const StudyInfo& given) {
  if (!std::filesystem::exists(path)) return;
  {
    const SqliteTrialStore store(path, SqliteTrialStore::Mode::kRead);
    const std::optional<StudyInfo> stored = store.LoadStudy();
    if (!stored || stored->spec_hash == given.spec_hash ||
        store.CountTrials() > 0) {
      return;
    }
  }
  std::filesystem::remove(path);
}

// Everything is built from the spec before any file is made, so that a spec
// whose data is missing leaves nothing behind.
void RunStudy(const SearchSpec& spec, const std::filesystem::path& path,
              int workers, const CommandContext& context) {
  ProgressReporter progress(context.err, context.err_is_terminal);
  Workbench workbench(spec, ArtifactsPath(path), workers,
                      progress.PhaseCallback(), &context.cancelled);
  workbench.CheckCompute();
  const std::unique_ptr<SearchAlgorithm> algorithm = workbench.MakeAlgorithm();
  Evaluator& evaluator = workbench.evaluator();
  const StudyInfo given = InfoOf(spec);
  MakeParentFolder(path);
  const FileLock lock =
      FileLock::TryAcquire(LockPath(path), FileLock::Mode::kExclusive);
  RemoveIfEmpty(path, given);
  SqliteTrialStore store(path, SqliteTrialStore::Mode::kWrite);
  progress.OnTrials(BeginStudy(store, given, path), spec.search.trials, 0);
  for (const Trial& trial : store.LoadTrials(store.FrontNumbers())) {
    workbench.CheckData(trial);
  }
  Study study(*algorithm, evaluator, store, spec.search);
  study.set_cancelled(&context.cancelled);
  std::int64_t failed = 0;
  study.set_on_trial([&](const Trial& trial, bool stored) {
    if (trial.state() == TrialState::kFailed) ++failed;
    const std::int64_t done = trial.number + 1;
    if (!stored &&
        (done % spec.search.batch == 0 || done == spec.search.trials)) {
      progress.OnTrials(done, spec.search.trials, failed);
    }
  });
  study.Run();
}

// The same search by the control's algorithm, in a study beside the other,
// whose teacher and supernet it shares.
void RunControl(SearchSpec spec, const std::string& algorithm,
                const std::filesystem::path& study, int workers,
                const CommandContext& context) {
  const std::filesystem::path path = ControlPath(study, algorithm);
  spec.search.algorithm = algorithm;
  spec.study.name += "-" + algorithm;
  LinkFolder(ArtifactsPath(study), ArtifactsPath(path));
  RunStudy(spec, path, workers, context);
}

int RunSearch(const Arguments& arguments, const CommandContext& context) {
  const SearchSpec spec =
      ReadSearchSpec(arguments.positionals[0], arguments.All("set"));
  const std::filesystem::path path =
      arguments.Text("study", DefaultStudyPath(spec).string());
  const auto workers =
      static_cast<int>(arguments.Integer("workers", DefaultWorkers(), 1, 1024));
  WarnOfSaturation(spec);
  try {
    RunStudy(spec, path, workers, context);
    if (arguments.Has("controls")) {
      for (const std::string& algorithm : ControlAlgorithms()) {
        RunControl(spec, algorithm, path, workers, context);
      }
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) throw;
    throw Error(ErrorCode::kCancelled,
                "interrupted; finished trials are kept. Go on with\n  " +
                    ResumeCommand(arguments));
  }
  return PrintEnd(path, arguments, context);
}

}  // namespace

Command SearchCommand() {
  return {{"search",
           "start a search, or go on with one",
           "SPEC",
           1,
           1,
           {{"study", "FILE", "the study's file; studies/NAME.db by default"},
            {"workers", "N", "students that train side by side; one per core"},
            {"set", "TABLE.KEY=VALUE", "override a field of the spec"},
            {"controls", "",
             "then the same search by random and uniform-scaling, beside it"},
            {"json", "", "print the result as JSON"}},
           "hone search experiments/specs/gloss-quick.toml"},
          RunSearch};
}

}  // namespace hone
