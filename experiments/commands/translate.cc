#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/model_session.h"
#include "experiments/report.h"
#include "space/base/error.h"

namespace hone {
namespace {

void TranslateTexts(ModelSession& model, const std::vector<std::string>& texts,
                    std::int64_t beam, bool json, std::ostream& out) {
  std::vector<std::vector<std::int64_t>> sources;
  for (const std::string& text : texts) {
    sources.push_back(
        model.vocabulary->Encode(text, model.card.shape.max_tokens));
  }
  const std::vector<std::string> written = Translate(
      model.network->decoder(), sources, model.card.shape, *model.vocabulary,
      {beam, model.card.measurement.length_penalty});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (json) {
      out << JsonLine({{"source", texts[i]}, {"translation", written[i]}})
          << "\n";
    } else {
      out << Printable(written[i]) << "\n";
    }
  }
}

int RunTranslate(const Arguments& arguments, const CommandContext& context) {
  ModelSession model = OpenModelFolder(arguments.positionals[0], {});
  RequireKind(model, "hone translate", {"translation"});
  const std::int64_t beam =
      arguments.Integer("beam", model.card.measurement.beam, 1, 64);
  const bool json = arguments.Has("json");
  const auto& given = arguments.positionals;
  if (given.size() > 1) {
    TranslateTexts(model, {given.begin() + 1, given.end()}, beam, json,
                   context.out);
    return kExitDone;
  }
  std::string line;
  while (!context.cancelled && std::getline(context.in, line)) {
    TranslateTexts(model, {line}, beam, json, context.out);
    context.out.flush();
  }
  return kExitDone;
}

}  // namespace

Command TranslateCommand() {
  return {{"translate",
           "translate texts with an exported model",
           "DIR [TEXT...]",
           1,
           -1,
           {{"beam", "N", "translations side by side; default: as in the spec"},
            {"json", "", "print one JSON object for each text"}},
           "hone translate exported/verses-5 \"y dijo dios\"\n"
           "  (without TEXT, reads one text from each line of standard input)"},
          RunTranslate};
}

}  // namespace hone
