#include <bit>

#include "eval/export/onnx_constants.h"
#include "eval/export/onnx_ops.h"
#include "space/base/error.h"

namespace hone {
namespace {

// The zero point in u8 of activations that s8 holds around zero.
constexpr std::uint8_t kSymmetricZero = 128;

}  // namespace

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
  const std::string bias = precision.int8_activations
                               ? IntegerBias(name, spec)
                               : FloatConstant(name + ".bias", {spec.out});
  return {Node("Add", {product, bias}, {}, name), shape};
}

std::string OnnxOps::FloatWeight(const std::string& name,
                                 const LinearSpec& spec) {
  const std::string weight =
      FloatConstant(name + ".weight", {spec.out, spec.in});
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
  const std::string zero_name = ZeroPoint(name, *zero.data<std::uint8_t>());
  const std::string quantized =
      Node("QuantizeLinear", {x, scale_name, zero_name}, {}, x + "/" + grid);
  return Node("DequantizeLinear", {quantized, scale_name, zero_name}, {},
              x + "/" + grid);
}

std::string OnnxOps::ZeroPoint(const std::string& name, std::uint8_t zero) {
  std::string constant = "zero_point_" + std::to_string(zero);
  if (writer_.Has(constant)) return constant;
  if (target_ == ExportTarget::kOnnx) {
    return writer_.AddConstant(
        constant,
        Tensor(OnnxType::kUint8, {}, std::vector<std::uint8_t>{zero}));
  }
  if (zero != kSymmetricZero) {
    throw Error(ErrorCode::kUsage,
                "layer '" + name + "' has inputs with zero point " +
                    std::to_string(zero) +
                    ", and TensorRT wants zero in the middle; quantize with "
                    "quantization.symmetric_activations = true");
  }
  return writer_.AddConstant(
      constant, Tensor(OnnxType::kInt8, {}, std::vector<std::int8_t>{0}));
}

std::vector<float> OnnxOps::ProductScale(const std::string& name,
                                         const LinearSpec& spec) const {
  const float input_scale =
      *Weight(name + ".input_scale", DType::kF32, {}).data<float>();
  const TensorData& weight_scale =
      Weight(name + ".weight_scale", DType::kF32, ScaleShape(spec));
  std::vector<float> scale;
  for (std::int64_t i = 0; i < weight_scale.elements(); ++i) {
    scale.push_back(input_scale * weight_scale.data<float>()[i]);
  }
  return scale;
}

std::string OnnxOps::IntegerBias(const std::string& name,
                                 const LinearSpec& spec) {
  const TensorData& bias = Weight(name + ".bias", DType::kI32, {spec.out});
  const std::vector<float> scale = ProductScale(name, spec);
  std::vector<float> values;
  for (std::int64_t i = 0; i < spec.out; ++i) {
    values.push_back(
        static_cast<float>(bias.data<std::int32_t>()[i]) *
        scale[scale.size() == 1 ? 0 : static_cast<std::size_t>(i)]);
  }
  return writer_.AddConstant(name + ".bias",
                             Tensor(OnnxType::kFloat, {spec.out}, values));
}

}  // namespace hone
