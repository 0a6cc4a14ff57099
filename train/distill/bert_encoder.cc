#include "train/distill/bert_encoder.h"

#include <numeric>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>

#include "space/base/error.h"
#include "space/network/transformer.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

constexpr char kPooler[] = "pooler";

void CheckTexts(const BertCheckpoint& checkpoint, const std::string& pooling,
                const TaskData& data) {
  if (pooling == kPooler && !checkpoint.weights.contains("pooler.weight")) {
    throw Error(ErrorCode::kUsage,
                "teacher.pooling: the checkpoint has no pooler; use mean or "
                "cls");
  }
  for (const auto& tokens : data.tokens) {
    const auto length = static_cast<std::int64_t>(tokens.size()) + 2;
    if (length <= checkpoint.bert.places) continue;
    throw Error(ErrorCode::kUsage,
                "task.max_tokens: a text of " + std::to_string(tokens.size()) +
                    " tokens, [CLS] and [SEP] exceed the " +
                    std::to_string(checkpoint.bert.places) +
                    " positions of the teacher; use at most " +
                    std::to_string(checkpoint.bert.places - 2));
  }
}

// Tokens that are read.
double Work(const Batch& batch) {
  return static_cast<double>(batch.rows.size()) *
         static_cast<double>(batch.tokens + 2);
}

at::Tensor Pool(BertEncoder& encoder, const std::string& pooling,
                const at::Tensor& hidden_BTD) {
  if (pooling == kPooler) return encoder.Pooled(hidden_BTD);
  return pooling == "cls" ? hidden_BTD.select(1, 0) : hidden_BTD.mean(1);
}

}  // namespace

BertOps::BertOps(WeightSource& weights, double norm_epsilon,
                 std::set<std::string> taps)
    : EagerOps(weights, {.taps = std::move(taps)}),
      weights_(weights),
      norm_epsilon_(norm_epsilon) {}

at::Tensor BertOps::LayerNorm(const std::string& name, const at::Tensor& x,
                              std::int64_t dim) {
  return at::layer_norm(
      x, {dim}, weights_.Get(name + ".weight", WeightRole::kGain, {dim}),
      weights_.Get(name + ".bias", WeightRole::kBias, {dim}), norm_epsilon_);
}

BertEncoder::BertEncoder(WeightSource& weights, const Bert& bert,
                         std::set<std::string> taps)
    : bert_(bert), ops_(weights, bert.norm_epsilon, std::move(taps)) {}

at::Tensor BertEncoder::HiddenStates(const at::Tensor& tokens_BT) {
  const at::NoGradGuard no_grad;
  const StemSpec& stem = bert_.architecture.stem;
  const auto column = [&](std::int64_t token) {
    return at::full({tokens_BT.size(0), 1}, token, tokens_BT.options());
  };
  const at::Tensor framed_BT =
      at::cat({column(bert_.begin), tokens_BT, column(bert_.end)}, 1);
  at::Tensor x_BTD = ops_.LayerNorm(
      "embedding_norm",
      ops_.AddPositions("position",
                        ops_.Embedding("embedding", framed_BT,
                                       {bert_.vocabulary, stem.d_model}),
                        bert_.places, stem.d_model),
      stem.d_model);
  for (std::size_t i = 0; i < bert_.architecture.encoder.size(); ++i) {
    const std::string name = BlockName("encoder", i);
    x_BTD = Block(ops_, name,
                  AttentionPlace{name + ".attention", 0, bert_.places, false},
                  stem, bert_.architecture.encoder[i], std::nullopt, x_BTD);
    ops_.Tap(name, x_BTD);
  }
  ops_.Tap(kLastHiddenTap, x_BTD);
  return x_BTD;
}

at::Tensor BertEncoder::TakeTap(const std::string& name) {
  const at::Tensor framed = ops_.TakeTap(name);
  return framed.narrow(1, 1, framed.size(1) - 2);
}

at::Tensor BertEncoder::Pooled(const at::Tensor& hidden_BTD) {
  const at::NoGradGuard no_grad;
  const std::int64_t d_model = bert_.architecture.stem.d_model;
  return at::tanh(ops_.Linear(kPooler, hidden_BTD.select(1, 0),
                              {d_model, d_model, Precision::kF32}));
}

TensorData BertFeatures(
    const BertCheckpoint& checkpoint, const std::string& pooling,
    const TaskData& data, std::int64_t batch_size,
    const std::function<void(double fraction)>& on_progress) {
  CheckTexts(checkpoint, pooling, data);
  return AtTorchBoundary("running the teacher", [&] {
    const at::NoGradGuard no_grad;
    StoredWeights weights(checkpoint.weights, at::kCPU);
    BertEncoder encoder(weights, checkpoint.bert);
    const std::vector<Batch> batches = OrderedBatches(data, batch_size);
    const double all = std::accumulate(
        batches.begin(), batches.end(), 0.0,
        [](double sum, const Batch& batch) { return sum + Work(batch); });
    double done = 0;
    at::Tensor features_ND =
        at::empty({static_cast<std::int64_t>(data.size()),
                   checkpoint.bert.architecture.stem.d_model});
    for (const Batch& batch : batches) {
      const at::Tensor hidden_BTD = encoder.HiddenStates(
          at::tensor(GatherTokens(data, batch))
              .view({static_cast<std::int64_t>(batch.rows.size()), -1}));
      features_ND.index_copy_(0, at::tensor(batch.rows),
                              Pool(encoder, pooling, hidden_BTD));
      done += Work(batch);
      on_progress(done / all);
    }
    return ToTensorData(features_ND);
  });
}

}  // namespace hone
