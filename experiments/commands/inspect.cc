#include "eval/export/onnx_export.h"
#include "eval/export/tensorrt_check.h"
#include "eval/inspection.h"
#include "eval/machine_lock.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/inspection_report.h"
#include "experiments/model_session.h"
#include "experiments/table.h"
#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

std::string Circumstances(const std::map<std::string, std::string>& facts,
                          const MeasurementOptions& options) {
  return facts.at("engine") + " " + facts.at("engine_version") + "\nthreads " +
         std::to_string(options.threads) + ", batch " +
         std::to_string(options.batch) + ", length " +
         std::to_string(options.tokens) + "\n";
}

// ONNX Runtime does not tell its nodes, so it is asked only when named.
std::unique_ptr<Engine> InspectingEngine(const Arguments& arguments,
                                         const ModelCard& card) {
  const bool tells = card.measurement.engine == "libtorch";
  auto engine = MakeEngine(
      arguments.Text("engine", tells ? card.measurement.engine : "openvino"));
  return engine ? std::move(engine) : MakeOpenVinoEngine();
}

int CheckTarget(const Arguments& arguments, const std::filesystem::path& folder,
                const ModelCard& card, const CommandContext& context) {
  const std::string target = arguments.Text("target", "");
  if (target != "tensorrt") {
    throw Error(ErrorCode::kUsage,
                "hone inspect: unknown target '" + target + "'; use tensorrt");
  }
  Json json = Json::array();
  Table table{{{"file"}, {"rule"}, {"node"}, {"what"}}, {}};
  for (const auto& [name, hash] : card.sha256) {
    if (name != kModelFile && name != kEncoderFile) continue;
    const std::string path = (folder / name).string();
    for (const TensorRtViolation& one :
         CheckForTensorRt(ReadOnnx(ReadFile(path), path))) {
      json.push_back({{"file", name},
                      {"rule", one.rule},
                      {"node", one.node},
                      {"what", one.what}});
      table.AddRow({name, one.rule, one.node, one.what});
    }
  }
  if (arguments.Has("json")) {
    PrintJson(json, context);
  } else if (json.empty()) {
    context.out << "Nothing stands against TensorRT (docs/tensorrt.md).\n";
  } else {
    context.out << ToText(table);
  }
  return json.empty() ? kExitDone : kExitInternal;
}

std::vector<OptionSpec> InspectOptions() {
  std::vector<OptionSpec> options =
      MeasuringOptions("print JSON with every number",
                       "as in the card, but openvino in place of onnxruntime");
  options.push_back({"target", "tensorrt",
                     "run nothing; list what the files break of TensorRT's "
                     "rules, exit status 1 if any"});
  return options;
}

int RunInspect(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path folder = arguments.positionals[0];
  const ModelCard card = ReadModelFolder(folder);
  if (arguments.Has("target")) {
    return CheckTarget(arguments, folder, card, context);
  }
  const MeasurementOptions options = MeasurementFor(arguments, card);
  const auto engine = InspectingEngine(arguments, card);
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
  return {{"inspect",
           "what an exported model stores, what really runs, and why", "DIR", 1,
           1, InspectOptions(), "hone inspect exported/gloss-12 --length 32"},
          RunInspect};
}

}  // namespace hone
