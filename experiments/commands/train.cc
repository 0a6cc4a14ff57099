#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/model_folder.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/study_files.h"
#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

constexpr std::uintmax_t kMaxArchitectureBytes = std::uintmax_t{1} << 20;

// An architecture, or a JSON object that has one under "architecture", such as
// a card or the output of `hone show --json`.
Architecture ReadArchitecture(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Json json = ParseJson(ReadFile(path, kMaxArchitectureBytes), where);
  const bool wrapped = json.is_object() && json.contains("architecture");
  return ArchitectureFromJson(wrapped ? json["architecture"] : json, where);
}

const char* NeededBlocks(Topology topology) {
  switch (topology) {
    case Topology::kEncoder:
      return "encoder blocks alone";
    case Topology::kDecoder:
      return "decoder blocks alone";
    case Topology::kEncoderDecoder:
      break;
  }
  return "encoder and decoder blocks";
}

Trial TrainOne(const SearchSpec& spec, const Architecture& architecture,
               Workbench& workbench) {
  if (TopologyOf(architecture) != workbench.task().topology) {
    throw Error(ErrorCode::kUsage,
                "the architecture does not suit the task: a " + spec.task.kind +
                    " needs " + NeededBlocks(workbench.task().topology));
  }
  Trial trial;
  trial.architecture = architecture;
  trial.seed =
      TrainingSeed(static_cast<std::uint64_t>(spec.study.seed), architecture);
  trial.fidelity = ParseFidelity(spec.search.fidelity);
  trial.origin = "given";
  trial.outcome = workbench.evaluator()
                      .Evaluate({{trial.number, trial.architecture, trial.seed,
                                  trial.fidelity}})
                      .at(0);
  return trial;
}

int RunTrain(const Arguments& arguments, const CommandContext& context) {
  SearchSpec spec =
      ReadSearchSpec(arguments.positionals[0], arguments.All("set"));
  if (arguments.Has("from-supernet")) {
    spec.search.rungs = {std::string(Name(Fidelity::kInherited))};
    spec.supernet.warm_start = true;
  }
  if (!arguments.Has("architecture")) {
    throw Error(ErrorCode::kUsage,
                "hone train: needs --architecture FILE, such as a card.json or "
                "the output of 'hone show STUDY N --json'");
  }
  ProgressReporter progress(context.err, context.err_is_terminal);
  const std::filesystem::path artifacts = ArtifactsPath(DefaultStudyPath(spec));
  const Architecture architecture =
      ReadArchitecture(arguments.Text("architecture", ""));
  Workbench workbench(spec, artifacts, 1, progress.PhaseCallback(),
                      &context.cancelled);
  const Trial trial = TrainOne(spec, architecture, workbench);
  progress.Clear();
  if (arguments.Has("out") && trial.state() == TrialState::kComplete) {
    WriteModelFolder(arguments.Text("out", ""), trial, artifacts,
                     CardOf(trial, spec, workbench), workbench.Vocabulary(),
                     context.err);
  }
  if (arguments.Has("json")) {
    PrintJson(TrialToJson(trial), context);
  } else {
    context.out << OutcomePage(trial);
  }
  return trial.state() == TrialState::kComplete ? kExitDone : kExitSomeFailed;
}

}  // namespace

Command TrainCommand() {
  return {
      {"train",
       "train, export and measure one architecture",
       "SPEC",
       1,
       1,
       {{"architecture", "FILE", "JSON of an architecture, or a card.json"},
        {"set", "TABLE.KEY=VALUE", "override a field of the spec"},
        {"from-supernet", "",
         "begin with its part of the space's supernet, trained where it is "
         "not"},
        {"out", "DIR", "write the exported model there, as hone export does"},
        {"json", "", "print JSON"}},
       "hone train experiments/specs/gloss.toml --architecture a.json"},
      RunTrain};
}

}  // namespace hone
