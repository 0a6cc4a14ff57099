#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "space/base/tensor_data.h"

namespace hone {

// Quantized weights whose inputs reach as far on either side of zero: zero
// point 128, biases in the new units.
inline NamedTensors Symmetric(NamedTensors weights) {
  for (auto& [name, zero] : weights) {
    constexpr char kEnd[] = ".input_zero_point";
    if (!name.ends_with(kEnd)) continue;
    const std::string layer = name.substr(0, name.size() - sizeof kEnd + 1);
    auto* code = reinterpret_cast<std::uint8_t*>(zero.bytes.data());
    auto* scale = reinterpret_cast<float*>(
        weights.at(layer + ".input_scale").bytes.data());
    const float before = *scale;
    const int widest = std::max<int>(*code, 255 - *code);
    *scale = before * static_cast<float>(widest) / 127;
    *code = 128;
    TensorData& bias = weights.at(layer + ".bias");
    auto* numbers = reinterpret_cast<std::int32_t*>(bias.bytes.data());
    for (std::int64_t i = 0; i < bias.elements(); ++i) {
      numbers[i] = static_cast<std::int32_t>(
          std::lround(static_cast<double>(numbers[i]) * before / *scale));
    }
  }
  return weights;
}

}  // namespace hone
