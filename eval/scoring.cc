#include "eval/scoring.h"

#include <vector>

#include "eval/bleu.h"
#include "eval/decode/generate.h"
#include "eval/eager_step_model.h"
#include "eval/exported_network.h"
#include "eval/parity.h"
#include "space/base/error.h"
#include "train/forward.h"

namespace hone {
namespace {

constexpr std::int64_t kInferenceBatch = 64;

}  // namespace

QualityMeter Scoring::NewMeter() const {
  return {task_.topology, task_.topology == Topology::kEncoder
                              ? task_.classes
                              : task_.vocabulary};
}

std::vector<std::int64_t> Scoring::LabelsOf(const Batch& batch) const {
  return GatherLabels(data_.dev, batch, BeginToken(task_), EndToken(task_));
}

void Scoring::AddQuality(const QualityMeter& meter,
                         std::map<std::string, Metric>& metrics) const {
  metrics.merge(meter.Metrics(PredictedCharacters(data_.dev)));
}

void Scoring::AddBleu(StepModel& model,
                      std::map<std::string, Metric>& metrics) const {
  const TaskData pairs =
      SomeRows(data_.dev, static_cast<std::size_t>(measurement_.translations));
  BleuOptions bleu;
  bleu.tokenizer = measurement_.bleu_tokenizer;
  const BleuScore score = CorpusBleu(
      Translate(
          model, pairs.tokens, task_, *data_.vocabulary,
          {measurement_.beam, measurement_.length_penalty, kInferenceBatch}),
      pairs.references, bleu);
  metrics["bleu"] = {score.score, "1", {}, {}};
}

std::map<std::string, Metric> Scoring::Eager(
    const Architecture& architecture, const NamedTensors& weights) const {
  std::map<std::string, Metric> metrics;
  QualityMeter meter = NewMeter();
  ForEachLogits(architecture, task_, weights, data_.dev, kInferenceBatch,
                [&](const Batch& batch, std::span<const float> logits) {
                  meter.Add(logits, LabelsOf(batch));
                });
  AddQuality(meter, metrics);
  if (task_.topology == Topology::kEncoderDecoder) {
    AddBleu(*MakeEagerStepModel(architecture, task_, weights), metrics);
  }
  return metrics;
}

Scored Scoring::Exported(Engine& engine, const std::filesystem::path& folder,
                         const Architecture& architecture,
                         const NamedTensors& weights) const {
  Scored scored;
  try {
    ExportedNetwork network(engine, folder, task_,
                            {.threads = measurement_.threads});
    QualityMeter meter = NewMeter();
    network.ForEachLogits(
        data_.dev, kInferenceBatch,
        [&](const Batch& batch, std::span<const float> logits) {
          meter.Add(logits, LabelsOf(batch));
        });
    AddQuality(meter, scored.metrics);
    const double error =
        ParityError(engine, folder, architecture, task_, weights, data_.dev,
                    measurement_.threads, network);
    scored.metrics["parity_error"] = {error, "1", {}, {}};
    if (!(error <= measurement_.parity_tolerance)) {
      scored.failure = Failure{
          "parity", "exported and reference logits differ by " +
                        std::to_string(error) + " of their spread; at most " +
                        std::to_string(measurement_.parity_tolerance) +
                        " is allowed"};
    } else if (task_.topology == Topology::kEncoderDecoder) {
      AddBleu(network.decoder(), scored.metrics);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUsage) throw;
    scored.failure = Failure{"engine", error.what()};
  }
  return scored;
}

}  // namespace hone
