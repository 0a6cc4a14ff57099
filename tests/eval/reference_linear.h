#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/base/tensor_data.h"

namespace hone {

// What a linear layer's stored weights stand for, f32 or codes, row major.
inline std::vector<double> LinearWeight(const NamedTensors& weights,
                                        const std::string& name) {
  const TensorData& weight = weights.at(name + ".weight");
  const auto count = static_cast<std::size_t>(weight.elements());
  if (weight.dtype == DType::kF32) {
    return {weight.data<float>(), weight.data<float>() + count};
  }
  const TensorData& scale = weights.at(name + ".weight_scale");
  const std::size_t block = count / static_cast<std::size_t>(scale.elements());
  const auto levels = weights.find(name + ".weight_levels");
  const auto zeros = weights.find(name + ".weight_zero_point");
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    int code = weight.dtype == DType::kI8 ? weight.data<std::int8_t>()[i]
                                          : weight.data<std::uint8_t>()[i];
    if (levels != weights.end()) {
      code = levels->second.data<std::int8_t>()[code];
    }
    if (zeros != weights.end()) {
      code -= zeros->second.data<std::uint8_t>()[i / block];
    }
    values.push_back(static_cast<double>(code) *
                     scale.data<float>()[i / block]);
  }
  return values;
}

// The bias, f32 or in units of the products.
inline std::vector<double> LinearBias(const NamedTensors& weights,
                                      const std::string& name) {
  const TensorData& bias = weights.at(name + ".bias");
  const auto count = static_cast<std::size_t>(bias.elements());
  if (bias.dtype == DType::kF32) {
    return {bias.data<float>(), bias.data<float>() + count};
  }
  const TensorData& scale = weights.at(name + ".weight_scale");
  const double input = *weights.at(name + ".input_scale").data<float>();
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<double>(bias.data<std::int32_t>()[i]) * input *
                     scale.data<float>()[scale.elements() == 1 ? 0 : i]);
  }
  return values;
}

}  // namespace hone
