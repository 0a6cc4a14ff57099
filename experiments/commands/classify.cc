#include <algorithm>

#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/model_session.h"
#include "experiments/report.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::size_t kLabelsShown = 3;

// Class numbers and their probabilities, most probable first.
std::vector<std::pair<std::size_t, double>> Classify(const ModelSession& model,
                                                     const std::string& given) {
  const ModelCard& card = model.card;
  const TaskData data =
      TaskOf(card.task.kind)
          .Example(card.task, Tools(), PreparationOf(model), given);
  const Batch batch = OrderedBatches(data, 1).at(0);
  if (card.shape.features > 0 && batch.tokens != card.shape.max_tokens) {
    throw Error(ErrorCode::kUsage,
                given + ": gives " + std::to_string(batch.tokens) +
                    " frames where the model's training data gave " +
                    std::to_string(card.shape.max_tokens));
  }
  ModelInput input;
  if (card.shape.features > 0) {
    input = GatherFrames(data, batch);
  } else {
    input = GatherTokens(data, batch);
  }
  const std::vector<double> probabilities =
      Probabilities(model.network->model().Run(input, 1, batch.tokens));
  std::vector<std::pair<std::size_t, double>> ranked;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    ranked.emplace_back(i, probabilities[i]);
  }
  std::stable_sort(
      ranked.begin(), ranked.end(),
      [](const auto& a, const auto& b) { return a.second > b.second; });
  ranked.resize(std::min(ranked.size(), kLabelsShown));
  return ranked;
}

// One line of JSON for each, so that a pipe can be followed.
void PrintJson(const ModelSession& model, const std::string& given,
               std::ostream& out) {
  Json labels = Json::array();
  for (const auto& [label, probability] : Classify(model, given)) {
    labels.push_back(
        {{"label", model.card.classes[label]}, {"probability", probability}});
  }
  const char* kind = model.card.shape.features > 0 ? "file" : "text";
  out << JsonLine({{kind, given}, {"labels", labels}}) << "\n";
}

void PrintText(const ModelSession& model, const std::string& given,
               std::ostream& out) {
  // First, so that nothing is said of what cannot be read.
  const auto labels = Classify(model, given);
  out << Printable(given) << "\n";
  for (const auto& [label, probability] : labels) {
    std::string line = "  " + Printable(model.card.classes[label]);
    line.resize(std::max<std::size_t>(line.size() + 2, 26), ' ');
    out << line << NumberText(probability) << "\n";
  }
}

int RunClassify(const Arguments& arguments, const CommandContext& context) {
  const ModelSession model = OpenModelFolder(arguments.positionals[0], {});
  RequireKind(model, "hone classify",
              {"text-classification", "sequence-classification",
               "image-classification", "audio-classification"});
  const auto print = arguments.Has("json") ? PrintJson : PrintText;
  for (std::size_t i = 1; i < arguments.positionals.size(); ++i) {
    print(model, arguments.positionals[i], context.out);
  }
  if (arguments.positionals.size() > 1) return kExitDone;
  std::string line;
  while (!context.cancelled && std::getline(context.in, line)) {
    if (!line.empty()) print(model, line, context.out);
    context.out.flush();
  }
  return kExitDone;
}

}  // namespace

Command ClassifyCommand() {
  return {{"classify",
           "label texts, images or sounds with an exported model",
           "DIR [TEXT|FILE...]",
           1,
           -1,
           {{"json", "", "print one JSON object for each of them"}},
           "hone classify exported/gloss-12 \"a large wading bird\"\n"
           "  (TEXT for a model of texts; FILE, a PNG, JPEG or WAV, for one of "
           "images "
           "or\n  sounds. Without either, reads one from each line of standard "
           "input)"},
          RunClassify};
}

}  // namespace hone
