#include "eval/inspection.h"
#include "eval/machine_lock.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/inspection_report.h"
#include "experiments/model_session.h"

namespace hone {
namespace {

std::string Circumstances(const std::map<std::string, std::string>& facts,
                          const MeasurementOptions& options) {
  return facts.at("engine") + " " + facts.at("engine_version") + "\nthreads " +
         std::to_string(options.threads) + ", batch " +
         std::to_string(options.batch) + ", length " +
         std::to_string(options.tokens) + "\n";
}

int RunInspect(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path folder = arguments.positionals[0];
  const ModelCard card = ReadModelFolder(folder);
  const MeasurementOptions options = MeasurementFor(arguments, card);
  const auto engine = MakeOpenVinoEngine();
  const MeasuringPermit permit(MachineLockFolder());
  const Inspection inspection = Inspect(*engine, folder, card.shape, options);
  const auto facts = engine->Describe();
  if (!arguments.Has("json")) {
    context.out << InspectionPage(inspection) << "\n"
                << Circumstances(facts, options);
    return kExitDone;
  }
  Json json = ToJson(inspection);
  json["engine"] = facts;
  json["threads"] = options.threads;
  json["batch"] = options.batch;
  json["length"] = options.tokens;
  json["new_tokens"] = options.new_tokens;
  json["model_sha256"] = card.sha256.at(kModelFile);
  PrintJson(json, context);
  return kExitDone;
}

}  // namespace

Command InspectCommand() {
  return {
      {"inspect", "what an exported model stores, what really runs, and why",
       "DIR", 1, 1, MeasuringOptions("print JSON with every number"),
       "hone inspect exported/gloss-12 --length 32"},
      RunInspect};
}

}  // namespace hone
