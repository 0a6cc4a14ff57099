#include <bit>

#include "eval/export/onnx_constants.h"
#include "eval/export/onnx_ops.h"
#include "space/base/error.h"

namespace hone {

OnnxOps::Value OnnxOps::Linear(const std::string& name, const Value& x,
                               const LinearSpec& spec) {
  HONE_CHECK_EQ(x.shape.back(), spec.in);
  const Precision& precision = spec.precision;
  std::vector<std::int64_t> shape = x.shape;
  shape.back() = spec.out;
  const std::string weight = precision.IsFloat() ? FloatWeight(name, spec)
                                                 : QuantizedWeight(name, spec);
  const std::string input =
      precision.int8_activations ? Quantized(name, x.name) : x.name;
  const std::string product = Node("MatMul", {input, weight}, {}, name);
  const std::string bias =
      precision.int8_activations
          ? IntegerBias(name, spec)
          : WeightConstant(name + ".bias", DType::kF32, {spec.out});
  return {Node("Add", {product, bias}, {}, name), shape};
}

std::string OnnxOps::FloatWeight(const std::string& name,
                                 const LinearSpec& spec) {
  const std::string weight =
      WeightConstant(name + ".weight", DType::kF32, {spec.out, spec.in});
  return Node("Transpose", {weight}, Permutation({1, 0}), name);
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

// The bias in units of the products: input scale times weight scale.
std::string OnnxOps::IntegerBias(const std::string& name,
                                 const LinearSpec& spec) {
  const float input_scale =
      *Weight(name + ".input_scale", DType::kF32, {}).data<float>();
  const std::vector<std::int64_t> shape = ScaleShape(spec);
  const TensorData& weight_scale =
      Weight(name + ".weight_scale", DType::kF32, shape);
  std::vector<float> scale;
  for (std::int64_t i = 0; i < weight_scale.elements(); ++i) {
    scale.push_back(input_scale * weight_scale.data<float>()[i]);
  }
  const std::string scale_name = writer_.AddConstant(
      name + ".bias_scale", Tensor(OnnxType::kFloat, shape, scale));
  OnnxAttributes attributes;
  if (!shape.empty()) attributes.push_back({"axis", std::int64_t{0}});
  return Node(
      "DequantizeLinear",
      {WeightConstant(name + ".bias", DType::kI32, {spec.out}), scale_name},
      attributes, name + ".bias");
}

}  // namespace hone
