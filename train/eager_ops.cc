#include "train/eager_ops.h"

#include <cmath>
#include <limits>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>

#include "space/base/error.h"
#include "space/network/classifier.h"

namespace hone {
namespace {

constexpr double kByteValues = 256;

}  // namespace

EagerOps::EagerOps(WeightSource& weights, EagerOptions options)
    : weights_(weights), options_(std::move(options)) {
  HONE_CHECK(options_.dropout == 0 || options_.generator.has_value());
}

at::Tensor EagerOps::Embedding(const std::string& name,
                               const at::Tensor& tokens_BT, std::int64_t rows,
                               std::int64_t dim) {
  return weights_.Lookup(name, tokens_BT, rows, dim);
}

at::Tensor EagerOps::AddPositions(const std::string& name,
                                  const at::Tensor& x_BTD, std::int64_t rows,
                                  std::int64_t dim) {
  HONE_CHECK_LE(x_BTD.size(1), rows);
  const at::Tensor table =
      weights_.Get(name + ".weight", WeightRole::kTable, {rows, dim});
  return at::add(x_BTD, table.narrow(0, 0, x_BTD.size(1)));
}

at::Tensor EagerOps::Linear(const std::string& name, const at::Tensor& x,
                            const LinearSpec& spec) {
  if (options_.observer) options_.observer(name, spec, x);
  const LinearWeights weights = weights_.GetLinear(name, spec);
  return at::linear(weights.input ? FakeQuantize(x, *weights.input) : x,
                    weights.weight, weights.bias);
}

at::Tensor EagerOps::LayerNorm(const std::string& name, const at::Tensor& x,
                               std::int64_t dim) {
  return at::layer_norm(
      x, {dim}, weights_.Get(name + ".weight", WeightRole::kGain, {dim}),
      weights_.Get(name + ".bias", WeightRole::kBias, {dim}), 1e-5);
}

at::Tensor EagerOps::Gelu(const at::Tensor& x) { return at::gelu(x, "none"); }

at::Tensor EagerOps::Add(const at::Tensor& x, const at::Tensor& y) {
  return at::add(x, y);
}

at::Tensor EagerOps::Dropout(const at::Tensor& x) {
  const auto dropped =
      static_cast<std::int64_t>(std::lround(options_.dropout * kByteValues));
  if (dropped == 0) return x;
  return at::mul(x, DropoutMask(x, dropped));
}

at::Tensor EagerOps::DropoutMask(const at::Tensor& like, std::int64_t dropped) {
  const at::NoGradGuard no_grad;
  // Eight elements from each 64-bit draw.
  at::Tensor bytes =
      at::empty({(like.numel() + 7) / 8}, like.options().dtype(at::kLong));
  bytes.random_(std::numeric_limits<std::int64_t>::min(), std::nullopt,
                options_.generator);
  const at::Tensor kept = bytes.view(at::kByte)
                              .narrow(0, 0, like.numel())
                              .view_as(like)
                              .ge(dropped);
  return kept.to(like.scalar_type())
      .mul_(kByteValues / (kByteValues - dropped));
}

at::Tensor EagerOps::SplitHeads(const at::Tensor& x_BTD, std::int64_t heads) {
  return x_BTD.view({x_BTD.size(0), x_BTD.size(1), heads, -1}).transpose(1, 2);
}

at::Tensor EagerOps::MergeHeads(const at::Tensor& x_BHTE) {
  return x_BHTE.transpose(1, 2).reshape(
      {x_BHTE.size(0), x_BHTE.size(2), x_BHTE.size(1) * x_BHTE.size(3)});
}

at::Tensor EagerOps::ScaledDotProductAttention(const at::Tensor& q_BHTE,
                                               const at::Tensor& k_BHTE,
                                               const at::Tensor& v_BHTE,
                                               std::int64_t window) {
  std::optional<at::Tensor> mask;
  if (window >= 0 && window + 1 < q_BHTE.size(2)) {
    mask = BandMask(q_BHTE, window);
  }
  return at::scaled_dot_product_attention(q_BHTE, k_BHTE, v_BHTE, mask);
}

const at::Tensor& EagerOps::BandMask(const at::Tensor& like,
                                     std::int64_t window) {
  const std::int64_t tokens = like.size(2);
  const auto found = band_masks_.find({tokens, window});
  if (found != band_masks_.end()) return found->second;
  const at::NoGradGuard no_grad;
  const at::Tensor place_T =
      at::arange(tokens, like.options().dtype(at::kLong));
  const at::Tensor hidden_TT =
      place_T.unsqueeze(0).sub(place_T.unsqueeze(1)).abs_().gt(window);
  at::Tensor mask_TT =
      at::zeros({tokens, tokens}, like.options().requires_grad(false));
  mask_TT.masked_fill_(hidden_TT, -std::numeric_limits<double>::infinity());
  return band_masks_.emplace(std::pair(tokens, window), mask_TT).first->second;
}

at::Tensor EagerOps::MeanTokens(const at::Tensor& x_BTD) {
  return x_BTD.mean(1);
}

void EagerOps::Tap(const std::string& name, const at::Tensor& x) {
  if (options_.taps.contains(name)) taps_[name] = x;
}

at::Tensor EagerOps::TakeTap(const std::string& name) {
  const auto found = taps_.find(name);
  HONE_CHECK(found != taps_.end());
  at::Tensor value = std::move(found->second);
  taps_.erase(found);
  return value;
}

void Discover(WeightSource& weights, const Architecture& architecture,
              const TaskShape& task) {
  const at::NoGradGuard no_grad;
  EagerOps ops(weights);
  Classifier(ops, architecture, task,
             at::zeros({1, 1}, at::TensorOptions(at::kLong)));
}

at::Tensor FakeQuantize(const at::Tensor& x,
                        const ActivationQuantization& quantization) {
  const auto zero = static_cast<double>(quantization.zero_point);
  return at::div(x, quantization.scale)
      .round_()
      .clamp_(-zero, 255 - zero)
      .mul_(quantization.scale);
}

}  // namespace hone
