#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/study_comparison.h"
#include "experiments/study_findings.h"
#include "experiments/study_view.h"
#include "experiments/trial_comparison.h"

namespace hone {
namespace {

template <typename Comparison>
int Print(const Comparison& comparison, const Arguments& arguments,
          const CommandContext& context) {
  if (arguments.Has("json")) {
    PrintJson(ToJson(comparison), context);
  } else {
    context.out << ComparisonPage(comparison);
  }
  return kExitDone;
}

int RunCompare(const Arguments& arguments, const CommandContext& context) {
  const std::vector<std::string>& words = arguments.positionals;
  if (words.size() == 2) {
    return Print(CompareStudies(Compared(words[0], ReadStudy(words[0])),
                                Compared(words[1], ReadStudy(words[1]))),
                 arguments, context);
  }
  const std::int64_t first = arguments.PositionalInteger(1, "A");
  const std::int64_t second = arguments.PositionalInteger(2, "B");
  const StudyView study = ReadStudy(words[0]);
  return Print(
      CompareTrials(TrialNumbered(study, first), TrialNumbered(study, second)),
      arguments, context);
}

}  // namespace

Command CompareCommand() {
  return {{"compare",
           "two trials of a study side by side, or two studies",
           "STUDY A B | STUDY STUDY",
           2,
           3,
           {{"json", "", "print JSON"}},
           "hone compare studies/gloss.db studies/gloss-random.db"},
          RunCompare};
}

}  // namespace hone
