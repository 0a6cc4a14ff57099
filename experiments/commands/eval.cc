#include "eval/bleu.h"
#include "eval/quality.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/model_session.h"
#include "experiments/report.h"
#include "train/data/task.h"

namespace hone {
namespace {

constexpr std::int64_t kBatch = 64;

std::map<std::string, Metric> MeasureTest(const ModelSession& session,
                                          const TaskData& test) {
  const ModelCard& card = session.card;
  const TaskShape& shape = card.shape;
  QualityMeter meter(shape.topology, shape.topology == Topology::kEncoder
                                         ? shape.classes
                                         : shape.vocabulary);
  session.network->ForEachLogits(
      test, kBatch, [&](const Batch& batch, std::span<const float> logits) {
        meter.Add(logits, GatherLabels(test, batch, BeginToken(shape),
                                       EndToken(shape)));
      });
  auto metrics = meter.Metrics(PredictedCharacters(test));
  if (shape.topology == Topology::kEncoderDecoder) {
    BleuOptions bleu;
    bleu.tokenizer = card.measurement.bleu_tokenizer;
    const auto texts = Translate(
        session.network->decoder(), test.tokens, shape, *session.vocabulary,
        {card.measurement.beam, card.measurement.length_penalty, kBatch});
    metrics["bleu"] = {
        CorpusBleu(texts, test.references, bleu).score, "1", {}, {}};
  }
  return metrics;
}

int RunEval(const Arguments& arguments, const CommandContext& context) {
  ModelSession session = OpenModelFolder(arguments.positionals[0], {},
                                         arguments.Text("engine", ""));
  ModelCard& card = session.card;
  card.measurement.beam =
      arguments.Integer("beam", card.measurement.beam, 1, 64);
  const TaskData test =
      TaskOf(card.task.kind)
          .TestSplit(card.task, Tools(), PreparationOf(session));
  const auto metrics = MeasureTest(session, test);
  if (arguments.Has("json")) {
    PrintJson({{"split", "test"},
               {"examples", test.size()},
               {"metrics", ToJson(metrics)},
               {"dev", ToJson(card.metrics)},
               {"model_sha256", card.sha256.at(kModelFile)}},
              context);
    return kExitDone;
  }
  context.out << test.size() << " examples of the test split\n";
  Table table{{{"metric"}, {"test", true}, {"dev, in the card", true}}, {}};
  for (const auto& [name, metric] : metrics) {
    const auto dev = card.metrics.find(name);
    table.AddRow(
        {name, NumberText(metric.value),
         dev == card.metrics.end() ? "-" : NumberText(dev->second.value)});
  }
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
           {{"beam", "N", "translations side by side; default: as in the spec"},
            EngineOption(),
            {"json", "", "print JSON"}},
           "hone eval exported/gloss-12"},
          RunEval};
}

}  // namespace hone
