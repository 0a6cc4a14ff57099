#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/search_spec.h"
#include "experiments/space_report.h"
#include "experiments/study_findings.h"
#include "experiments/study_report.h"
#include "experiments/study_view.h"

namespace hone {
namespace {

int RunReport(const Arguments& arguments, const CommandContext& context) {
  const StudyView study = ReadStudy(arguments.positionals[0]);
  const StudyReport report =
      ReportStudy(study.info, study.trials, study.front,
                  FindingsOf(arguments.positionals[0], study));
  if (arguments.Has("json")) {
    PrintJson(ToJson(report), context);
  } else {
    context.out << StudyPage(report);
  }
  return kExitDone;
}

int RunSpace(const Arguments& arguments, const CommandContext& context) {
  std::optional<Fidelity> fidelity;
  if (arguments.Has("fidelity")) {
    fidelity = ParseFidelity(arguments.Text("fidelity", ""));
  }
  const StudyView study = ReadStudy(arguments.positionals[0]);
  const SpaceReport report =
      ReportSpace(study.trials, study.info.objectives,
                  SpecFromJson(study.info.spec).space, fidelity);
  if (arguments.Has("json")) {
    PrintJson(ToJson(report), context);
  } else {
    context.out << SpacePage(report);
  }
  return kExitDone;
}

}  // namespace

Command ReportCommand() {
  return {{"report",
           "a study at a glance, and how its front grew",
           "STUDY",
           1,
           1,
           {{"json", "", "print JSON"}},
           "hone report studies/gloss.db"},
          RunReport};
}

Command SpaceCommand() {
  return {{"space",
           "which dimensions of the space moved the objectives",
           "STUDY",
           1,
           1,
           {{"fidelity", "WORD", "of the trials; that of most by default"},
            {"json", "", "print JSON"}},
           "hone space studies/gloss.db"},
          RunSpace};
}

}  // namespace hone
