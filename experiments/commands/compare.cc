#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/comparison.h"

namespace hone {
namespace {

int CompareTrials(const Arguments& arguments, const CommandContext& context) {
  const StudyView study = ReadStudy(arguments.positionals[0]);
  const Trial& a = TrialNumbered(study, arguments.PositionalInteger(1, "A"));
  const Trial& b = TrialNumbered(study, arguments.PositionalInteger(2, "B"));
  if (arguments.Has("json")) {
    PrintJson(CompareTrialsJson(a, b), context);
  } else {
    context.out << CompareTrialsText(a, b);
  }
  return kExitDone;
}

int RunCompare(const Arguments& arguments, const CommandContext& context) {
  if (arguments.positionals.size() == 3) {
    return CompareTrials(arguments, context);
  }
  const FrontComparison comparison = CompareFronts(
      ReadStudy(arguments.positionals[0]), ReadStudy(arguments.positionals[1]));
  if (arguments.Has("json")) {
    PrintJson(ToJson(comparison), context);
  } else {
    context.out << ToText(comparison);
  }
  return kExitDone;
}

}  // namespace

Command CompareCommand() {
  return {{"compare",
           "two trials block by block, or two studies' fronts",
           "STUDY A B | STUDY STUDY",
           2,
           3,
           {{"json", "", "print JSON"}},
           "hone compare studies/gloss.db 12 30"},
          RunCompare};
}

}  // namespace hone
