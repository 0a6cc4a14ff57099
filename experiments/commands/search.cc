#include <algorithm>

#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/search_spec.h"
#include "experiments/study_files.h"
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
  std::string message =
      path.string() + ": the study was begun with another spec:";
  for (const std::string& line : SpecDifferences(stored.spec, given.spec)) {
    message += "\n  " + line;
  }
  throw Error(ErrorCode::kUsage,
              message +
                  "\nUndo the changes, or begin another study with --study "
                  "FILE. More trials and other workers are always allowed.");
}

// The command that goes on with this search.
std::string ResumeCommand(const Arguments& arguments) {
  std::string command = "hone search " + arguments.positionals[0];
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
  const StudyView study = ReadStudy(path);
  const std::string digest = StudyDigest(study.info.spec_hash, study.trials);
  const auto failed = std::count_if(
      study.trials.begin(), study.trials.end(),
      [](const Trial& t) { return t.state() == TrialState::kFailed; });
  const int status = failed > 0 ? kExitSomeFailed : kExitDone;
  if (arguments.Has("json")) {
    PrintJson({{"study", path.string()},
               {"trials", study.trials.size()},
               {"failed", failed},
               {"digest", digest},
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
  context.out << study.trials.size() << " trials, " << failed << " failed, "
              << study.front.size() << " on the front\ndigest " << digest
              << "\n";
  if (study.front.empty()) return status;
  const std::string one = std::to_string(study.front.front().number);
  context.err << "\nNext:\n  hone show " << path.string() << " " << one
              << "\n  hone trials " << path.string()
              << " --where \"latency_ms < 1\"\n  hone export " << path.string()
              << " " << one << " --out exported/" << study.info.name << "-"
              << one << "\n";
  return status;
}

// Creates the study, or makes sure that it is the one that the spec describes.
// Returns the number of trials that it has.
std::size_t OpenStudy(const SearchSpec& spec, const std::filesystem::path& path,
                      SqliteTrialStore& store) {
  const StudyInfo info = InfoOf(spec);
  const std::optional<StudyInfo> stored = store.LoadStudy();
  if (!stored) {
    store.CreateStudy(info);
    return 0;
  }
  CheckSameSpec(*stored, info, path);
  if (stored->spec != info.spec) store.UpdateSpec(info.spec);
  return store.LoadTrials().size();
}

// The loop, with progress on standard error.
void RunTrials(const SearchSpec& spec, const std::filesystem::path& path,
               int workers, SqliteTrialStore& store,
               const CommandContext& context) {
  ProgressReporter progress(context.err, context.err_is_terminal);
  Workbench workbench(
      spec, ArtifactsPath(path), workers,
      [&](const std::string& phase, double done, double total) {
        progress.OnPhase(phase, done, total);
      },
      &context.cancelled);
  const std::unique_ptr<SearchAlgorithm> algorithm = workbench.MakeAlgorithm();
  Study study(*algorithm, workbench.evaluator(), store, spec.search);
  study.set_cancelled(&context.cancelled);
  progress.OnTrials(static_cast<std::int64_t>(store.LoadTrials().size()),
                    spec.search.trials);
  study.set_on_trial([&](const Trial& trial, bool stored) {
    if (!stored) progress.OnTrials(trial.number + 1, spec.search.trials);
  });
  study.Run();
}

int RunSearch(const Arguments& arguments, const CommandContext& context) {
  const SearchSpec spec =
      ReadSearchSpec(arguments.positionals[0], arguments.All("set"));
  const std::filesystem::path path =
      arguments.Text("study", DefaultStudyPath(spec).string());
  const int workers =
      static_cast<int>(arguments.Integer("workers", DefaultWorkers(), 1, 1024));
  MakeParentFolder(path);
  const FileLock lock =
      FileLock::TryAcquire(LockPath(path), FileLock::Mode::kExclusive);
  SqliteTrialStore store(path, SqliteTrialStore::Mode::kWrite);
  const std::size_t before = OpenStudy(spec, path, store);
  context.err << "hone: " << path.string() << ": "
              << (before == 0
                      ? "a new study"
                      : "goes on after " + std::to_string(before) + " trials")
              << "\n";
  try {
    RunTrials(spec, path, workers, store, context);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) throw;
    throw Error(ErrorCode::kCancelled,
                "interrupted; every finished trial is kept. To go on:\n  " +
                    ResumeCommand(arguments));
  }
  return PrintEnd(path, arguments, context);
}

}  // namespace

Command SearchCommand() {
  return {{"search",
           "start a search, or go on with it",
           "SPEC",
           1,
           1,
           {{"study", "FILE", "where trials are kept (studies/NAME.db)"},
            {"workers", "N", "trials side by side (one for each core)"},
            {"set", "TABLE.KEY=VALUE", "override a field of the spec"},
            {"json", "", "print the front and the digest as JSON"}},
           "hone search experiments/specs/gloss.toml --set search.trials=100"},
          RunSearch};
}

}  // namespace hone
