#include <bit>

#include "eval/export/onnx_constants.h"
#include "eval/export/onnx_ops.h"
#include "space/base/error.h"

namespace hone {

OnnxOps::Value OnnxOps::Linear(const std::string& name, const Value& x,
                               const LinearSpec& spec) {
  HONE_CHECK_EQ(x.shape.back(), spec.in);
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
  std::vector<std::int64_t> shape = x.shape;
  shape.back() = spec.out;
  return {Node("Add", {product, bias}, {}, name), shape};
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

}  // namespace hone
