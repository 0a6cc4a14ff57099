#include "eval/quality.h"
#include "experiments/commands/commands.h"
#include "experiments/model_session.h"
#include "experiments/report.h"
#include "train/data/task_data.h"

namespace hone {
namespace {

constexpr std::int64_t kBatch = 64;

int RunEval(const Arguments& arguments, const CommandContext& context) {
  const ModelSession session = OpenModelFolder(arguments.positionals[0], {});
  const ModelCard& card = session.card;
  const TaskData test = Tokenize(LoadTestSplit(card.task, card.classes),
                                  *session.vocabulary, card.task.max_tokens);
  const ClassificationQuality quality =
      QualityOf(RunModel(*session.model, test, kBatch, card.shape.classes),
                test.labels, card.shape.classes);
  if (arguments.Has("json")) {
    context.out << Json{{"split", "test"},
                        {"examples", test.size()},
                        {"accuracy", quality.accuracy},
                        {"macro_f1", quality.macro_f1},
                        {"model_sha256", card.sha256.at(kModelFile)}}
                       .dump(2)
                << "\n";
    return kExitDone;
  }
  Table table{{{"split"}, {"examples", true}, {"accuracy", true}, {"macro_f1"}},
              {}};
  const auto dev = [&](const char* name) {
    const auto found = card.metrics.find(name);
    return found == card.metrics.end() ? "-" : NumberText(found->second.value);
  };
  table.AddRow({"test", std::to_string(test.size()),
                NumberText(quality.accuracy), NumberText(quality.macro_f1)});
  table.AddRow({"dev, in the card", "-", dev("accuracy"), dev("macro_f1")});
  context.out << ToText(table);
  return kExitDone;
}

}  // namespace

Command EvalCommand() {
  return {{"eval",
           "quality of an exported model on the test split",
           "DIR",
           1,
           1,
           {{"json", "", "print JSON"}},
           "hone eval exported/gloss-12"},
          RunEval};
}

}  // namespace hone
