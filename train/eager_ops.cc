#include "train/eager_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/div.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/zeros.h>

#include "space/base/error.h"
#include "space/network/angles.h"
#include "space/network/transformer.h"

namespace hone {
namespace {

constexpr double kByteValues = 256;

}  // namespace

EagerOps::EagerOps(WeightSource& weights, EagerOptions options)
    : weights_(weights), options_(std::move(options)) {
  HONE_CHECK(options_.dropout == 0 || options_.generator.has_value());
}

at::Tensor EagerOps::Embedding(const std::string& name,
                               const at::Tensor& tokens_BT,
                               const TableSpec& spec) {
  return weights_.Lookup(name, tokens_BT, spec);
}

at::Tensor EagerOps::Lookup(const std::string& name,
                            const at::Tensor& tokens_BT,
                            const TableSpec& spec) {
  return at::embedding(weights_.GetTable(name, spec), tokens_BT);
}

at::Tensor EagerOps::Table(const std::string& name, const TableSpec& spec) {
  return weights_.GetTable(name, spec);
}

at::Tensor EagerOps::Matrix(const std::string& name, std::int64_t rows,
                            std::int64_t columns) {
  return weights_.Get(name + ".weight", WeightRole::kMatrix, {rows, columns});
}

at::Tensor EagerOps::RandomFeatures(const std::string& name, std::int64_t rows,
                                    std::int64_t columns) {
  return weights_.Get(name + ".features", WeightRole::kRandomFeatures,
                      {rows, columns});
}

at::Tensor EagerOps::Placed(const at::Tensor& table,
                            std::int64_t tokens) const {
  if (memory_ == nullptr) {
    HONE_CHECK_LE(tokens, table.size(0));
    return table.narrow(0, 0, tokens);
  }
  return at::embedding(table, memory_->Places(tokens));
}

const at::Tensor& EagerOps::Angles(std::int64_t rows, std::int64_t dim,
                                   const at::Tensor& like) {
  const auto found = angles_.find({rows, dim});
  if (found != angles_.end()) return found->second;
  const at::NoGradGuard no_grad;
  std::vector<float> values;
  for (std::int64_t place = 0; place < rows; ++place) {
    AppendAngles(place, dim, values);
  }
  const at::Tensor table =
      at::tensor(values).view({rows, dim}).to(like.options());
  return angles_.emplace(std::pair(rows, dim), table).first->second;
}

at::Tensor EagerOps::AddPositions(const std::string& name,
                                  const at::Tensor& x_BTD, std::int64_t rows,
                                  std::int64_t dim) {
  const at::Tensor table =
      weights_.Get(name + ".weight", WeightRole::kTable, {rows, dim});
  return at::add(x_BTD, Placed(table, x_BTD.size(1)));
}

at::Tensor EagerOps::AddSinusoids(const at::Tensor& x_BTD, std::int64_t rows,
                                  std::int64_t dim) {
  return at::add(x_BTD, Placed(Angles(rows, dim, x_BTD), x_BTD.size(1)));
}

at::Tensor EagerOps::Rotary(const at::Tensor& x_BHTE, std::int64_t rows) {
  const std::int64_t half = x_BHTE.size(3) / 2;
  at::Tensor angles =
      Placed(Angles(rows, x_BHTE.size(3), x_BHTE), x_BHTE.size(2));
  if (angles.dim() == 3) angles = angles.unsqueeze(1);
  const at::Tensor sine = angles.narrow(-1, 0, half);
  const at::Tensor cosine = angles.narrow(-1, half, half);
  const at::Tensor a = x_BHTE.narrow(3, 0, half);
  const at::Tensor b = x_BHTE.narrow(3, half, half);
  return at::cat(
      {a.mul(cosine).sub(b.mul(sine)), b.mul(cosine).add(a.mul(sine))}, 3);
}

at::Tensor EagerOps::Linear(const std::string& name, const at::Tensor& x,
                            const LinearSpec& spec) {
  if (options_.observer) options_.observer(name, spec, x);
  const LinearWeights weights = weights_.GetLinear(name, spec);
  at::Tensor input = x;
  if (weights.input) input = FakeQuantize(x, *weights.input);
  if (weights.learned_input) {
    input = RoundThrough(x, weights.learned_input->scale,
                         weights.learned_input->range);
  }
  return at::linear(input, weights.weight, weights.bias);
}

at::Tensor EagerOps::LayerNorm(const std::string& name, const at::Tensor& x,
                               std::int64_t dim) {
  return at::layer_norm(
      x, {dim}, weights_.Get(name + ".weight", WeightRole::kGain, {dim}),
      weights_.Get(name + ".bias", WeightRole::kBias, {dim}), 1e-5);
}

at::Tensor EagerOps::RmsNorm(const std::string& name, const at::Tensor& x,
                             std::int64_t dim) {
  return at::rms_norm(
      x, {dim}, weights_.Get(name + ".weight", WeightRole::kGain, {dim}), 1e-5);
}

at::Tensor EagerOps::Gelu(const at::Tensor& x) { return at::gelu(x, "none"); }

at::Tensor EagerOps::Relu(const at::Tensor& x) { return at::relu(x); }

at::Tensor EagerOps::Silu(const at::Tensor& x) { return at::silu(x); }

at::Tensor EagerOps::Exp(const at::Tensor& x) { return at::exp(x); }

at::Tensor EagerOps::EluPlusOne(const at::Tensor& x) {
  return at::elu(x).add(1);
}

at::Tensor EagerOps::Add(const at::Tensor& x, const at::Tensor& y) {
  return at::add(x, y);
}

at::Tensor EagerOps::Multiply(const at::Tensor& x, const at::Tensor& y) {
  return at::mul(x, y);
}

at::Tensor EagerOps::Divide(const at::Tensor& x, const at::Tensor& y) {
  return at::div(x, y);
}

at::Tensor EagerOps::Scale(const at::Tensor& x, double factor) {
  return at::mul(x, factor);
}

at::Tensor EagerOps::Offset(const at::Tensor& x, double offset) {
  return at::add(x, offset);
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

at::Tensor EagerOps::Transpose(const at::Tensor& x, std::int64_t i,
                               std::int64_t j) {
  return x.transpose(i, j);
}

at::Tensor EagerOps::Reshape(const at::Tensor& x,
                             const std::vector<std::int64_t>& dims) {
  std::vector<std::int64_t> sizes = dims;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) sizes[i] = x.size(static_cast<std::int64_t>(i));
  }
  return x.reshape(sizes);
}

at::Tensor EagerOps::Pad(const at::Tensor& x, std::int64_t axis,
                         std::int64_t before, std::int64_t after) {
  if (before == 0 && after == 0) return x;
  // The list begins with the last axis.
  std::vector<std::int64_t> sizes(2 * static_cast<std::size_t>(x.dim() - axis),
                                  0);
  sizes[sizes.size() - 2] = before;
  sizes[sizes.size() - 1] = after;
  return at::constant_pad_nd(x, sizes);
}

at::Tensor EagerOps::PadToMultiple(const at::Tensor& x, std::int64_t axis,
                                   std::int64_t multiple) {
  return Pad(x, axis, 0, (multiple - x.size(axis) % multiple) % multiple);
}

at::Tensor EagerOps::Slice(const at::Tensor& x, std::int64_t axis,
                           std::int64_t begin, std::int64_t end) {
  const std::int64_t size = x.size(axis);
  const std::int64_t stop = end < 0 ? size + end : std::min(end, size);
  return x.narrow(axis, begin, stop - begin);
}

at::Tensor EagerOps::CutLike(const at::Tensor& x, std::int64_t axis,
                             const at::Tensor& like, std::int64_t like_axis) {
  return x.narrow(axis, 0, like.size(like_axis));
}

at::Tensor EagerOps::Concat(const std::vector<at::Tensor>& parts,
                            std::int64_t axis) {
  return at::cat(parts, axis);
}

at::Tensor EagerOps::TokenOnes(const at::Tensor& x) {
  return at::ones({1, 1, x.size(2), 1}, x.options().requires_grad(false));
}

at::Tensor EagerOps::Constant(const std::string& name,
                              const std::vector<std::int64_t>& dims,
                              const std::vector<float>& values) {
  const auto found = constants_.find(name);
  if (found != constants_.end()) return found->second;
  return constants_.emplace(name, at::tensor(values).view(dims)).first->second;
}

at::Tensor EagerOps::MatMul(const at::Tensor& x, const at::Tensor& y) {
  return at::matmul(x, y);
}

at::Tensor EagerOps::Softmax(const at::Tensor& x) { return at::softmax(x, -1); }

at::Tensor EagerOps::Sum(const at::Tensor& x, std::int64_t axis) {
  return x.sum(axis, true);
}

at::Tensor EagerOps::Max(const at::Tensor& x) {
  return x.detach().amax(-1, true);
}

at::Tensor EagerOps::RunningSum(const at::Tensor& x, std::int64_t axis) {
  return at::cumsum(x, axis);
}

at::Tensor EagerOps::LowerTriangle(const at::Tensor& x, std::int64_t diagonal) {
  return at::tril(x, diagonal);
}

at::Tensor EagerOps::ScaledDotProductAttention(const at::Tensor& q_BHTE,
                                               const at::Tensor& k_BKSE,
                                               const at::Tensor& v_BKSE,
                                               const AttentionMask& mask) {
  const std::optional<at::Tensor> additive =
      MaskFor(q_BHTE, k_BKSE.size(2), mask, /*fused=*/true);
  const bool causal = memory_ == nullptr && mask.causal && !additive;
  return at::scaled_dot_product_attention(q_BHTE, k_BKSE, v_BKSE, additive, 0,
                                          causal, std::nullopt,
                                          q_BHTE.size(1) != k_BKSE.size(1));
}

std::optional<at::Tensor> EagerOps::MaskFor(const at::Tensor& like_BHTx,
                                            std::int64_t keys,
                                            const AttentionMask& mask,
                                            bool fused) {
  const std::int64_t tokens = like_BHTx.size(2);
  if (memory_ != nullptr) {
    at::Tensor made;
    if (mask.source_layers > 0) {
      made = memory_->SourceMask(keys, like_BHTx);
    } else if (mask.causal) {
      made = memory_->Mask(tokens, mask, like_BHTx);
    }
    if (made.defined()) return made;
    return std::nullopt;
  }
  const bool near = mask.window >= 0 && mask.window + 1 < tokens;
  const bool columns = mask.stride > 1 && mask.stride < tokens;
  const bool later = mask.causal && !fused;
  if (near || columns || later) return FixedMask(like_BHTx, mask);
  return std::nullopt;
}

at::Tensor EagerOps::Masked(const at::Tensor& scores_BHTS,
                            const AttentionMask& mask) {
  const auto additive =
      MaskFor(scores_BHTS, scores_BHTS.size(3), mask, /*fused=*/false);
  return additive ? at::add(scores_BHTS, *additive) : scores_BHTS;
}

at::Tensor EagerOps::RoundOperand(const std::string& name,
                                  const at::Tensor& x) {
  if (options_.operand_observer) options_.operand_observer(name, x);
  const std::optional<float> scale = weights_.OperandScale(name);
  return scale ? RoundThrough(x, *scale, -kLargestOperandCode,
                              kLargestOperandCode)
               : x;
}

at::Tensor EagerOps::RoundShares(const at::Tensor& x) {
  return RoundThrough(x, 1.0f / kLargestShareCode, 0, kLargestShareCode);
}

const at::Tensor& EagerOps::FixedMask(const at::Tensor& like,
                                      const AttentionMask& mask) {
  const std::int64_t tokens = like.size(2);
  const auto found = masks_.find({tokens, mask});
  if (found != masks_.end()) return found->second;
  const at::NoGradGuard no_grad;
  const at::Tensor place_T =
      at::arange(tokens, like.options().dtype(at::kLong));
  const at::Tensor distance_TT = place_T.unsqueeze(1).sub(place_T.unsqueeze(0));
  at::Tensor hidden_TT = distance_TT.lt(mask.causal ? 0 : -tokens);
  const at::Tensor away_TT = distance_TT.abs();
  if (mask.window >= 0) {
    hidden_TT = hidden_TT.logical_or(away_TT.gt(mask.window));
  }
  if (mask.stride > 0) {
    hidden_TT = hidden_TT.logical_or(
        away_TT.ge(mask.stride)
            .logical_and(away_TT.remainder(mask.stride).ne(0)));
  }
  at::Tensor mask_TT =
      at::zeros({tokens, tokens}, like.options().requires_grad(false));
  mask_TT.masked_fill_(hidden_TT, -std::numeric_limits<double>::infinity());
  return masks_.emplace(std::pair(tokens, mask), mask_TT).first->second;
}

at::Tensor EagerOps::MeanTokens(const at::Tensor& x_BTD) {
  return x_BTD.mean(1);
}

at::Tensor EagerOps::Remember(const std::string& name,
                              const at::Tensor& x_BKTE) {
  return memory_ == nullptr ? x_BKTE : memory_->Extend(name, x_BKTE);
}

std::optional<at::Tensor> EagerOps::Carried(
    const std::string& name, const std::vector<std::int64_t>& dims) {
  if (memory_ == nullptr) return std::nullopt;
  return memory_->Sums(name, dims, at::empty({0}, at::kFloat));
}

void EagerOps::Carry(const std::string& name, const at::Tensor& x) {
  if (memory_ != nullptr) memory_->SetSums(name, x);
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
  const at::Tensor token_BT = at::zeros({1, 1}, at::TensorOptions(at::kLong));
  const at::Tensor input =
      task.features > 0
          ? at::zeros({1, 1, task.features}, at::TensorOptions(at::kFloat))
          : token_BT;
  Transformer(ops, architecture, task, input, token_BT);
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
