#include "experiments/model_session.h"

#include <algorithm>
#include <cmath>

#include "experiments/build_study.h"
#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {

ModelSession OpenModelFolder(const std::filesystem::path& folder,
                             const EngineOptions& options,
                             const std::string& engine) {
  ModelSession session;
  session.card = ReadModelFolder(folder);
  if (session.card.sha256.contains(kVocabularyFile)) {
    session.vocabulary = ParseVocabulary(ReadFile(folder / kVocabularyFile));
  }
  session.engine =
      MakeEngine(engine.empty() ? session.card.measurement.engine : engine);
  // The simulated engine runs nothing.
  if (!session.engine) session.engine = MakeEngine("openvino");
  session.network = std::make_unique<ExportedNetwork>(
      *session.engine, folder, session.card.shape, options);
  return session;
}

Preparation PreparationOf(const ModelSession& session) {
  return {session.card.classes, session.vocabulary.get(), session.card.pixels,
          session.card.sound_rate};
}

OptionSpec EngineOption(const std::string& fallback) {
  return {"engine", "NAME",
          "openvino, onnxruntime or libtorch; default: " + fallback};
}

std::vector<OptionSpec> MeasuringOptions(const std::string& json_help,
                                         const std::string& engine) {
  return {EngineOption(engine),
          {"threads", "N", "threads of the engine"},
          {"batch", "N", "sequences in one inference"},
          {"length", "N", "tokens in each sequence"},
          {"new-tokens", "N", "tokens that a decoder writes"},
          {"json", "", json_help}};
}

MeasurementOptions MeasurementFor(const Arguments& arguments,
                                  const ModelCard& card) {
  MeasurementOptions options = card.measurement;
  options.engine = arguments.Text("engine", options.engine);
  options.threads = arguments.Integer("threads", options.threads, 1, 1024);
  options.batch = arguments.Integer("batch", options.batch, 1, 65536);
  options.tokens =
      arguments.Integer("length", options.tokens, 1, card.shape.max_tokens);
  options.new_tokens =
      arguments.Integer("new-tokens", options.new_tokens, 1, 4096);
  return options;
}

void RequireKind(const ModelSession& session, const std::string& command,
                 const std::vector<std::string>& kinds) {
  const std::string& kind = session.card.task.kind;
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return;
  std::string wanted;
  for (const std::string& one : kinds) {
    wanted += (wanted.empty() ? "" : " or ") + one;
  }
  const std::string use = kind == "language-model" ? "hone generate"
                          : kind == "translation"  ? "hone translate"
                                                   : "hone classify";
  throw Error(ErrorCode::kUsage, command + " is for models of " + wanted +
                                     ", and this one is of " + kind + "; use " +
                                     use);
}

std::vector<double> Probabilities(const std::vector<float>& logits_C) {
  const double largest = *std::max_element(logits_C.begin(), logits_C.end());
  std::vector<double> probabilities;
  double sum = 0;
  for (const float logit : logits_C) {
    probabilities.push_back(std::exp(static_cast<double>(logit) - largest));
    sum += probabilities.back();
  }
  for (double& probability : probabilities) probability /= sum;
  return probabilities;
}

}  // namespace hone
