#include "train/compress/stored_matrix.h"

#include "space/base/error.h"

namespace hone {
namespace {

template <typename T>
std::vector<T> As(const std::vector<std::int16_t>& values, int offset) {
  std::vector<T> result;
  result.reserve(values.size());
  for (const std::int16_t value : values) {
    result.push_back(static_cast<T>(value + offset));
  }
  return result;
}

std::vector<std::int64_t> ScaleShape(const LinearSpec& spec) {
  if (spec.precision.block == Precision::kTensor) return {};
  if (spec.precision.block == Precision::kRow) return {spec.out};
  return {spec.out, spec.in / BlockFor(spec.precision, spec.in)};
}

// What each of 2^bits codes stands for; `offset` is added to numbers to make
// them places.
std::vector<std::int8_t> LevelsOf(const Precision& precision,
                                  const QuantizedMatrix& matrix, int offset) {
  std::vector<std::int8_t> levels = matrix.levels;
  levels.resize(std::size_t{1} << precision.weight_bits);
  if (!matrix.levels.empty()) return levels;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    levels[i] = static_cast<std::int8_t>(static_cast<int>(i) - offset);
  }
  return levels;
}

}  // namespace

std::vector<float> Floats(const NamedTensors& tensors,
                          const std::string& name) {
  const TensorData& data = tensors.at(name);
  HONE_CHECK(data.dtype == DType::kF32);
  const auto* values = data.data<float>();
  return {values, values + data.elements()};
}

void StoreMatrix(const std::string& name, const LinearSpec& spec,
                 const QuantizedMatrix& matrix, NamedTensors& tensors) {
  const Precision& precision = spec.precision;
  const bool asymmetric = precision.levels == Levels::kAsymmetric;
  const std::vector<std::int64_t> shape{spec.out, spec.in};
  if (precision.StoresIntegers() && !asymmetric) {
    tensors[name + ".weight"] =
        Stored(DType::kI8, shape, As<std::int8_t>(matrix.codes, 0));
  } else {
    // Numbers of 4 bits with 8-bit activations become places from 0 on.
    const int offset = matrix.levels.empty() && !asymmetric
                           ? 1 << (precision.weight_bits - 1)
                           : 0;
    tensors[name + ".weight"] =
        Stored(DType::kU8, shape, As<std::uint8_t>(matrix.codes, offset));
    if (!precision.StoresIntegers()) {
      tensors[name + ".weight_levels"] =
          Stored(DType::kI8, {std::int64_t{1} << precision.weight_bits},
                 LevelsOf(precision, matrix, offset));
    }
  }
  tensors[name + ".weight_scale"] =
      Stored(DType::kF32, ScaleShape(spec), matrix.scales);
  if (asymmetric) {
    tensors[name + ".weight_zero_point"] =
        Stored(DType::kU8, ScaleShape(spec), As<std::uint8_t>(matrix.zeros, 0));
  }
}

void StoreInput(const std::string& name, const LinearSpec& spec,
                const ActivationQuantization& input,
                const std::vector<float>& bias, NamedTensors& tensors) {
  tensors[name + ".bias"] = Stored(
      DType::kI32, {spec.out},
      QuantizeBias(bias, input.scale, Floats(tensors, name + ".weight_scale")));
  tensors[name + ".input_scale"] =
      Stored(DType::kF32, {}, std::vector<float>{input.scale});
  tensors[name + ".input_zero_point"] = Stored(
      DType::kU8, {},
      std::vector<std::uint8_t>{static_cast<std::uint8_t>(input.zero_point)});
}

}  // namespace hone
