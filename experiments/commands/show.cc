#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/report.h"
#include "experiments/standing.h"
#include "experiments/study_view.h"

namespace hone {
namespace {

int RunShow(const Arguments& arguments, const CommandContext& context) {
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  const StudyView study = ReadStudy(arguments.positionals[0]);
  const Trial& trial = TrialNumbered(study, number);
  const Standing standing = StandingOf(trial, study.front, study.info);
  if (!arguments.Has("json")) {
    const std::string line = StandingLine(standing);
    context.out << TrialPage(
        trial, study.info,
        line.empty() ? line : line + "'hone why' says more.\n");
    return kExitDone;
  }
  Json json = TrialToJson(trial);
  json["dominated_by"] = ToJson(standing)["dominated_by"];
  json["spec_hash"] = study.info.spec_hash;
  json["program_version"] = study.info.program_version;
  PrintJson(json, context);
  return kExitDone;
}

int RunWhy(const Arguments& arguments, const CommandContext& context) {
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  const StudyView study = ReadStudy(arguments.positionals[0]);
  const Trial& trial = TrialNumbered(study, number);
  const Standing standing = StandingOf(trial, study.front, study.info);
  if (arguments.Has("json")) {
    Json json = ToJson(standing);
    json["trial"] = number;
    PrintJson(json, context);
  } else {
    context.out << StandingPage(trial, standing, study.info);
  }
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

Command WhyCommand() {
  return {{"why",
           "why a trial is on the front, or who beats it by how much",
           "STUDY N",
           2,
           2,
           {{"json", "", "print JSON"}},
           "hone why studies/gloss.db 12"},
          RunWhy};
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
