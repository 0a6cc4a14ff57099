#include "eval/export/onnx_ops.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr char kTokens[] = "tokens";
constexpr char kTokenCount[] = "token_count";
constexpr float kLayerNormEpsilon = 1e-5f;

static_assert(std::endian::native == std::endian::little,
              "raw_data is little endian");

OnnxType TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return OnnxType::kFloat;
    case DType::kI64:
      return OnnxType::kInt64;
    case DType::kI32:
      return OnnxType::kInt32;
    case DType::kI8:
      return OnnxType::kInt8;
    case DType::kU8:
      return OnnxType::kUint8;
  }
  return OnnxType::kFloat;
}

template <typename T>
OnnxTensor Tensor(OnnxType type, const std::vector<std::int64_t>& shape,
                  const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {type, shape, std::move(bytes)};
}

template <typename T>
std::vector<T> Transposed(const T* values, std::int64_t rows,
                          std::int64_t columns) {
  std::vector<T> out(static_cast<std::size_t>(rows * columns));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      out[static_cast<std::size_t>(j * rows + i)] = values[i * columns + j];
    }
  }
  return out;
}

OnnxAttributes Permutation(std::vector<std::int64_t> axes) {
  return {{"perm", std::move(axes)}};
}

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    if (text.size() > 1) text += ",";
    text += std::to_string(size);
  }
  return text + "]";
}

}  // namespace

std::string OnnxOps::Node(const std::string& op,
                          const std::vector<std::string>& in,
                          const OnnxAttributes& attributes,
                          const std::string& scope) {
  const std::string name =
      scope.empty() ? op + "_" + std::to_string(nodes_++) : scope + "/" + op;
  return writer_.AddNode(op, name, in, attributes);
}

const TensorData& OnnxOps::Weight(
    const std::string& name, DType dtype,
    const std::vector<std::int64_t>& shape) const {
  const auto found = weights_.find(name);
  if (found == weights_.end()) {
    throw Error(ErrorCode::kInternal, "export: weight '" + name +
                                          "' is missing; the network needs " +
                                          ShapeText(shape));
  }
  if (found->second.dtype != dtype || found->second.shape != shape) {
    throw Error(ErrorCode::kInternal,
                "export: weight '" + name + "' has shape " +
                    ShapeText(found->second.shape) +
                    " or a type that its precision does not use; the network "
                    "needs " +
                    ShapeText(shape));
  }
  return found->second;
}

std::string OnnxOps::WeightConstant(const std::string& name, DType dtype,
                                    const std::vector<std::int64_t>& shape) {
  const TensorData& weight = Weight(name, dtype, shape);
  return writer_.AddConstant(
      name, {TypeOf(dtype), shape,
             std::string(weight.data<char>(), weight.bytes.size())});
}

std::string OnnxOps::Integers(const std::vector<std::int64_t>& values) {
  std::string name = "integers" + ShapeText(values);
  if (writer_.Has(name)) return name;
  return writer_.AddConstant(
      name, Tensor(OnnxType::kInt64, {static_cast<std::int64_t>(values.size())},
                   values));
}

std::string OnnxOps::Integer(std::int64_t value) {
  std::string name = "integer_" + std::to_string(value);
  if (writer_.Has(name)) return name;
  return writer_.AddConstant(
      name, Tensor(OnnxType::kInt64, {}, std::vector<std::int64_t>{value}));
}

std::string OnnxOps::Real(float value) {
  std::string name = "real_" + std::to_string(std::bit_cast<int>(value));
  if (writer_.Has(name)) return name;
  return writer_.AddConstant(
      name, Tensor(OnnxType::kFloat, {}, std::vector<float>{value}));
}

OnnxOps::Value OnnxOps::Tokens() {
  writer_.AddInput(kTokens, OnnxType::kInt64, {"batch", "tokens"});
  return {kTokens, 0};
}

void OnnxOps::Logits(const Value& x) {
  const std::string name = writer_.AddNode("Identity", "logits", {x.name});
  writer_.AddOutput(name, OnnxType::kFloat, {"batch", x.width});
}

OnnxOps::Value OnnxOps::Embedding(const std::string& name,
                                  const Value& tokens_BT, std::int64_t rows,
                                  std::int64_t dim) {
  const std::string table =
      WeightConstant(name + ".weight", DType::kF32, {rows, dim});
  return {Node("Gather", {table, tokens_BT.name}, {}, name), dim};
}

std::string OnnxOps::TokenCount() {
  if (writer_.Has(kTokenCount)) return kTokenCount;
  return writer_.AddNode(
      "Shape", kTokenCount, {kTokens},
      {{"start", std::int64_t{1}}, {"end", std::int64_t{2}}});
}

OnnxOps::Value OnnxOps::AddPositions(const std::string& name,
                                     const Value& x_BTD, std::int64_t rows,
                                     std::int64_t dim) {
  const std::string table =
      WeightConstant(name + ".weight", DType::kF32, {rows, dim});
  const std::string used_TD =
      Node("Slice", {table, Integers({0}), TokenCount()}, {}, name);
  return {Node("Add", {x_BTD.name, used_TD}, {}, name), dim};
}

OnnxOps::Value OnnxOps::Linear(const std::string& name, const Value& x,
                               const LinearSpec& spec) {
  HONE_CHECK_EQ(x.width, spec.in);
  std::string product;
  std::string bias;
  switch (spec.precision) {
    case Precision::kF32: {
      const std::string weight =
          WeightConstant(name + ".weight", DType::kF32, {spec.out, spec.in});
      product =
          Node("MatMul",
               {x.name, Node("Transpose", {weight}, Permutation({1, 0}), name)},
               {}, name);
      bias = WeightConstant(name + ".bias", DType::kF32, {spec.out});
      break;
    }
    case Precision::kW8A8:
      product = Int8Product(name, x, spec);
      bias = Int8Bias(name, spec);
      break;
    case Precision::kW4:
      product = Int4Product(name, x, spec);
      bias = WeightConstant(name + ".bias", DType::kF32, {spec.out});
      break;
  }
  return {Node("Add", {product, bias}, {}, name), spec.out};
}

std::string OnnxOps::Quantized(const std::string& name, const std::string& x) {
  const TensorData& scale = Weight(name + ".input_scale", DType::kF32, {});
  const TensorData& zero = Weight(name + ".input_zero_point", DType::kU8, {});
  const std::string grid =
      std::to_string(std::bit_cast<int>(*scale.data<float>())) + "_" +
      std::to_string(*zero.data<std::uint8_t>());
  // The pair is named after value and grid, so that a second user finds it.
  std::string dequantized = x + "/" + grid + "/DequantizeLinear";
  if (writer_.Has(dequantized)) return dequantized;
  const std::string scale_name = Real(*scale.data<float>());
  const std::string zero_name =
      "zero_point_" + std::to_string(*zero.data<std::uint8_t>());
  if (!writer_.Has(zero_name)) {
    writer_.AddConstant(
        zero_name,
        Tensor(OnnxType::kUint8, {},
               std::vector<std::uint8_t>{*zero.data<std::uint8_t>()}));
  }
  const std::string quantized =
      Node("QuantizeLinear", {x, scale_name, zero_name}, {}, x + "/" + grid);
  return Node("DequantizeLinear", {quantized, scale_name, zero_name}, {},
              x + "/" + grid);
}

std::string OnnxOps::Int8Product(const std::string& name, const Value& x,
                                 const LinearSpec& spec) {
  const std::string weight =
      WeightConstant(name + ".weight", DType::kI8, {spec.out, spec.in});
  const std::string scale =
      WeightConstant(name + ".weight_scale", DType::kF32, {spec.out});
  const std::string dequantized =
      Node("DequantizeLinear", {weight, scale}, {{"axis", std::int64_t{0}}},
           name + ".weight");
  const std::string transposed =
      Node("Transpose", {dequantized}, Permutation({1, 0}), name);
  return Node("MatMul", {Quantized(name, x.name), transposed}, {}, name);
}

std::string OnnxOps::Int8Bias(const std::string& name, const LinearSpec& spec) {
  const float input_scale =
      *Weight(name + ".input_scale", DType::kF32, {}).data<float>();
  const float* weight_scale =
      Weight(name + ".weight_scale", DType::kF32, {spec.out}).data<float>();
  std::vector<float> scale;
  for (std::int64_t i = 0; i < spec.out; ++i) {
    scale.push_back(input_scale * weight_scale[i]);
  }
  const std::string scale_name = writer_.AddConstant(
      name + ".bias_scale", Tensor(OnnxType::kFloat, {spec.out}, scale));
  return Node(
      "DequantizeLinear",
      {WeightConstant(name + ".bias", DType::kI32, {spec.out}), scale_name},
      {{"axis", std::int64_t{0}}}, name + ".bias");
}

std::string OnnxOps::Int4Product(const std::string& name, const Value& x,
                                 const LinearSpec& spec) {
  const auto scale = weights_.find(name + ".weight_scale");
  const std::int64_t blocks =
      scale != weights_.end() && scale->second.shape.size() == 2
          ? scale->second.shape[1]
          : 0;
  const TensorData& scales =
      Weight(name + ".weight_scale", DType::kF32, {spec.out, blocks});
  HONE_CHECK(blocks > 0 && spec.in % blocks == 0);
  const TensorData& weight =
      Weight(name + ".weight", DType::kI8, {spec.out, spec.in});
  // Transposed here and not in the graph: ONNX Runtime has a 4-bit kernel for
  // blocks along axis 0 alone.
  const std::string weight_name = writer_.AddConstant(
      name + ".weight",
      {OnnxType::kInt4,
       {spec.in, spec.out},
       PackInt4(Transposed(weight.data<std::int8_t>(), spec.out, spec.in))});
  const std::string scale_name = writer_.AddConstant(
      name + ".weight_scale",
      Tensor(OnnxType::kFloat, {blocks, spec.out},
             Transposed(scales.data<float>(), spec.out, blocks)));
  const std::string dequantized =
      Node("DequantizeLinear", {weight_name, scale_name},
           {{"axis", std::int64_t{0}}, {"block_size", spec.in / blocks}},
           name + ".weight");
  return Node("MatMul", {x.name, dequantized}, {}, name);
}

OnnxOps::Value OnnxOps::LayerNorm(const std::string& name, const Value& x,
                                  std::int64_t dim) {
  return {
      Node("LayerNormalization",
           {x.name, WeightConstant(name + ".weight", DType::kF32, {dim}),
            WeightConstant(name + ".bias", DType::kF32, {dim})},
           {{"axis", std::int64_t{-1}}, {"epsilon", kLayerNormEpsilon}}, name),
      dim};
}

OnnxOps::Value OnnxOps::Gelu(const Value& x) {
  return {Node("Gelu", {x.name}), x.width};
}

OnnxOps::Value OnnxOps::Add(const Value& x, const Value& y) {
  HONE_CHECK_EQ(x.width, y.width);
  return {Node("Add", {x.name, y.name}), x.width};
}

OnnxOps::Value OnnxOps::SplitHeads(const Value& x_BTD, std::int64_t heads) {
  HONE_CHECK_EQ(x_BTD.width % heads, 0);
  const std::int64_t head_dim = x_BTD.width / heads;
  const std::string x_BTHE =
      Node("Reshape", {x_BTD.name, Integers({0, 0, heads, head_dim})});
  return {Node("Transpose", {x_BTHE}, Permutation({0, 2, 1, 3})), head_dim,
          heads};
}

OnnxOps::Value OnnxOps::MergeHeads(const Value& x_BHTE) {
  const std::string x_BTHE =
      Node("Transpose", {x_BHTE.name}, Permutation({0, 2, 1, 3}));
  const std::int64_t width = x_BHTE.heads * x_BHTE.width;
  return {Node("Reshape", {x_BTHE, Integers({0, 0, width})}), width};
}

std::string OnnxOps::WindowMask(std::int64_t window) {
  const std::string scope = "window_mask_" + std::to_string(window);
  if (writer_.Has(scope + "/Where")) return scope + "/Where";
  const auto node = [&](const std::string& op,
                        const std::vector<std::string>& in,
                        const std::string& part = "") {
    return Node(op, in, {}, scope + part);
  };
  const std::string count = node("Squeeze", {TokenCount()});
  const std::string positions = node("Range", {Integer(0), count, Integer(1)});
  const std::string rows =
      node("Unsqueeze", {positions, Integers({1})}, "/rows");
  const std::string distance = node("Abs", {node("Sub", {rows, positions})});
  return node("Where",
              {node("LessOrEqual", {distance, Integer(window)}), Real(0),
               Real(-std::numeric_limits<float>::infinity())});
}

OnnxOps::Value OnnxOps::ScaledDotProductAttention(const Value& q_BHTE,
                                                  const Value& k_BHTE,
                                                  const Value& v_BHTE,
                                                  std::int64_t window) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(q_BHTE.width));
  const std::string scaled_BHTE = Node("Mul", {q_BHTE.name, Real(scale)});
  const std::string k_BHET =
      Node("Transpose", {k_BHTE.name}, Permutation({0, 1, 3, 2}));
  std::string scores_BHTT = Node("MatMul", {scaled_BHTE, k_BHET});
  if (window >= 0) {
    scores_BHTT = Node("Add", {scores_BHTT, WindowMask(window)});
  }
  const std::string shares_BHTT =
      Node("Softmax", {scores_BHTT}, {{"axis", std::int64_t{-1}}});
  return {Node("MatMul", {shares_BHTT, v_BHTE.name}), v_BHTE.width,
          v_BHTE.heads};
}

OnnxOps::Value OnnxOps::MeanTokens(const Value& x_BTD) {
  return {Node("ReduceMean", {x_BTD.name, Integers({1})},
               {{"keepdims", std::int64_t{0}}}),
          x_BTD.width};
}

}  // namespace hone
