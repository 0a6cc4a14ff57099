#include <algorithm>

#include "experiments/commands/commands.h"
#include "experiments/model_session.h"
#include "experiments/report.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::size_t kLabelsShown = 3;

// Class numbers and their probabilities, most probable first.
std::vector<std::pair<std::size_t, double>> Classify(const ModelSession& model,
                                                     const std::string& text) {
  const auto tokens =
      model.vocabulary->Encode(text, model.card.task.max_tokens);
  const std::vector<double> probabilities =
      Probabilities(model.network->model().Run(
          tokens, 1, static_cast<std::int64_t>(tokens.size())));
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

// One line of JSON for each text, so that a pipe can be followed.
void PrintJson(const ModelSession& model, const std::string& text,
               std::ostream& out) {
  Json labels = Json::array();
  for (const auto& [label, probability] : Classify(model, text)) {
    labels.push_back(
        {{"label", model.card.classes[label]}, {"probability", probability}});
  }
  out << Json{{"text", text}, {"labels", labels}}.dump() << "\n";
}

void PrintText(const ModelSession& model, const std::string& text,
               std::ostream& out) {
  out << Printable(text) << "\n";
  for (const auto& [label, probability] : Classify(model, text)) {
    std::string line = "  " + Printable(model.card.classes[label]);
    line.resize(std::max<std::size_t>(line.size() + 2, 26), ' ');
    out << line << NumberText(probability) << "\n";
  }
}

int RunClassify(const Arguments& arguments, const CommandContext& context) {
  const ModelSession model = OpenModelFolder(arguments.positionals[0], {});
  RequireKind(model, "hone classify",
              {"text-classification", "sequence-classification"});
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
           "label texts with an exported model",
           "DIR [TEXT...]",
           1,
           -1,
           {{"json", "", "print one JSON object for each text"}},
           "hone classify exported/gloss-12 \"a large wading bird\"\n"
           "  (without TEXT, reads one text from each line of standard input)"},
          RunClassify};
}

}  // namespace hone
