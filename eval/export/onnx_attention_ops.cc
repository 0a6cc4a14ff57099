#include <cmath>
#include <limits>

#include "eval/export/onnx_constants.h"
#include "eval/export/onnx_export.h"
#include "eval/export/onnx_ops.h"
#include "space/base/error.h"

namespace hone {

std::string OnnxOps::Distances(const Value& q_BHTE) {
  std::string name = steps_ ? "step_distances" : "distances";
  if (writer_.Has(name)) return name;
  if (steps_) {
    // A slot that holds nothing is said to be far in the future.
    const std::string query =
        Input(kPlacesInput, OnnxType::kInt64, {"batch", "tokens"});
    const std::string key =
        Input(kSlotPlacesInput, OnnxType::kInt64, {"batch", "slots"});
    return writer_.AddNode("Sub", name,
                           {Node("Unsqueeze", {query, Integers({1, 3})}),
                            Node("Unsqueeze", {key, Integers({1, 2})})});
  }
  const std::string count = Node("Squeeze", {SizeOf(q_BHTE, 2)});
  const std::string places = Node("Range", {Integer(0), count, Integer(1)});
  return writer_.AddNode("Sub", name,
                         {Node("Unsqueeze", {places, Integers({1})}), places});
}

std::string OnnxOps::Mask(const AttentionMask& mask, const Value& q_BHTE) {
  std::string name = "mask_" + std::to_string(mask.causal) + "_" +
                     std::to_string(mask.window) + "_" +
                     std::to_string(mask.stride);
  if (writer_.Has(name)) return name;
  const std::string distance = Distances(q_BHTE);
  const std::string away = Node("Abs", {distance});
  std::string seen;
  const auto also = [&](const std::string& condition) {
    seen = seen.empty() ? condition : Node("And", {seen, condition});
  };
  if (mask.causal) also(Node("GreaterOrEqual", {distance, Integer(0)}));
  if (mask.window >= 0) {
    also(Node("LessOrEqual", {away, Integer(mask.window)}));
  }
  if (mask.stride > 0) {
    const std::string column =
        Node("Equal", {Node("Mod", {away, Integer(mask.stride)}), Integer(0)});
    also(Node("Or", {Node("Less", {away, Integer(mask.stride)}), column}));
  }
  if (seen.empty()) return seen;
  return writer_.AddNode(
      "Where", name,
      {seen, Real(0), Real(-std::numeric_limits<float>::infinity())});
}

// One for all layers of a source that stand side by side. [B,1,1,S * layers]
std::string OnnxOps::SourceMask(std::int64_t layers) {
  std::string name = "source_mask_" + std::to_string(layers);
  if (writer_.Has(name)) return name;
  const std::string one =
      Input(kSourceMaskInput, OnnxType::kFloat, {"batch", "source"});
  const std::string all = layers == 1
                              ? one
                              : Node("Concat",
                                     std::vector<std::string>(
                                         static_cast<std::size_t>(layers), one),
                                     {{"axis", std::int64_t{1}}});
  return writer_.AddNode("Unsqueeze", name, {all, Integers({1, 2})});
}

OnnxOps::Value OnnxOps::Masked(const Value& scores_BHTS,
                               const AttentionMask& mask) {
  const std::string added = Mask(mask, scores_BHTS);
  if (added.empty()) return scores_BHTS;
  return {Node("Add", {scores_BHTS.name, added}), scores_BHTS.shape};
}

OnnxOps::Value OnnxOps::RoundOperand(const std::string& name, const Value& x) {
  const std::string zero = "no_zero_point_i8";
  if (!writer_.Has(zero)) {
    writer_.AddConstant(
        zero, Tensor(OnnxType::kInt8, {}, std::vector<std::int8_t>{0}));
  }
  return {Rounded(x.name, WeightConstant(name + ".scale", DType::kF32, {}),
                  zero, name),
          x.shape};
}

OnnxOps::Value OnnxOps::RoundShares(const Value& x) {
  const std::string zero = "no_zero_point_u8";
  if (!writer_.Has(zero)) {
    writer_.AddConstant(
        zero, Tensor(OnnxType::kUint8, {}, std::vector<std::uint8_t>{0}));
  }
  return {Rounded(x.name, Real(1.0f / kLargestShareCode), zero, ""), x.shape};
}

std::string OnnxOps::Rounded(const std::string& x, const std::string& scale,
                             const std::string& zero,
                             const std::string& scope) {
  const std::string quantized =
      Node("QuantizeLinear", {x, scale, zero}, {}, scope);
  return Node("DequantizeLinear", {quantized, scale, zero}, {}, scope);
}

OnnxOps::Value OnnxOps::ScaledDotProductAttention(const Value& q_BHTE,
                                                  const Value& k_BKSE,
                                                  const Value& v_BKSE,
                                                  const AttentionMask& mask) {
  const std::int64_t heads = q_BHTE.shape[1];
  const std::int64_t groups = k_BKSE.shape[1];
  const std::int64_t head_dim = q_BHTE.shape[3];
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  Value q = Scale(q_BHTE, scale);
  // Heads that share keys stand beside each other: they become more queries.
  if (groups != heads) q = Reshape(q, {0, groups, -1, head_dim});
  Value scores = MatMul(q, Transpose(k_BKSE, 2, 3));
  if (groups != heads) scores = Reshape(scores, {0, heads, -1, 0});
  const std::string added = mask.source_layers > 0
                                ? SourceMask(mask.source_layers)
                                : Mask(mask, q_BHTE);
  if (!added.empty()) {
    scores = {Node("Add", {scores.name, added}), scores.shape};
  }
  Value shares = Softmax(scores);
  if (groups != heads) shares = Reshape(shares, {0, groups, -1, 0});
  Value mixed = MatMul(shares, v_BKSE);
  if (groups != heads) mixed = Reshape(mixed, {0, heads, -1, head_dim});
  return {mixed.name, q_BHTE.shape};
}

OnnxOps::Value OnnxOps::Remember(const std::string& name, const Value& x_BKTE) {
  HONE_CHECK(steps_);
  const std::int64_t heads = x_BKTE.shape[1];
  const std::int64_t head_dim = x_BKTE.shape[3];
  const std::string past = Input(kPastPrefix + name, OnnxType::kFloat,
                                 {"batch", heads, "past", head_dim});
  const std::string present =
      writer_.AddNode("Concat", kPresentPrefix + name, {past, x_BKTE.name},
                      {{"axis", std::int64_t{2}}});
  writer_.AddOutput(present, OnnxType::kFloat,
                    {"batch", heads, "slots", head_dim});
  return {present, {-1, heads, -1, head_dim}};
}

std::optional<OnnxOps::Value> OnnxOps::Carried(
    const std::string& name, const std::vector<std::int64_t>& dims) {
  if (!steps_) return std::nullopt;
  std::vector<OnnxDim> shape = {"batch"};
  std::vector<std::int64_t> sizes = {-1};
  for (const std::int64_t size : dims) {
    shape.emplace_back(size);
    sizes.push_back(size);
  }
  return Value{Input(kPastPrefix + name, OnnxType::kFloat, shape), sizes};
}

void OnnxOps::Carry(const std::string& name, const Value& x) {
  std::vector<OnnxDim> shape = {"batch"};
  for (std::size_t i = 1; i < x.shape.size(); ++i)
    shape.emplace_back(x.shape[i]);
  Output(kPresentPrefix + name, x, shape);
}

}  // namespace hone
