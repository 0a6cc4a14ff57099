#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/report.h"
#include "experiments/study_view.h"

namespace hone {
namespace {

int RunShow(const Arguments& arguments, const CommandContext& context) {
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  const StudyView study = ReadStudy(arguments.positionals[0]);
  const Trial& trial = TrialNumbered(study, number);
  const auto dominators = DominatorsOf(trial, study.front, study.info);
  if (!arguments.Has("json")) {
    context.out << TrialPage(trial, study.info, dominators);
    return kExitDone;
  }
  Json json = TrialToJson(trial);
  json["dominated_by"] = DominatorsToJson(dominators);
  json["spec_hash"] = study.info.spec_hash;
  json["program_version"] = study.info.program_version;
  PrintJson(json, context);
  return kExitDone;
}

int RunDigest(const Arguments& arguments, const CommandContext& context) {
  const StudyView study = ReadStudy(arguments.positionals[0]);
  const std::string digest = StudyDigest(study.info.spec_hash, study.trials);
  if (arguments.Has("json")) {
    PrintJson({{"digest", digest}, {"trials", study.trials.size()}}, context);
  } else {
    context.out << digest << "\n";
  }
  return kExitDone;
}

}  // namespace

Command ShowCommand() {
  return {{"show",
           "one trial: architecture, metrics, provenance",
           "STUDY N",
           2,
           2,
           {{"json", "", "print JSON"}},
           "hone show studies/gloss.db 12"},
          RunShow};
}

Command DigestCommand() {
  return {{"digest",
           "the hash that a repeated study must reproduce",
           "STUDY",
           1,
           1,
           {{"json", "", "print JSON"}},
           "hone digest studies/gloss.db"},
          RunDigest};
}

}  // namespace hone
