#include "train/compress/bf16_weights.h"

#include "space/base/half.h"

namespace hone {
namespace {

// ".weight_scale" and ".input_scale" of layers, ".scale" of products.
bool IsScale(const std::string& name) { return name.ends_with("scale"); }

}  // namespace

NamedTensors InCompute(const Architecture& architecture, NamedTensors weights) {
  if (architecture.stem.compute != Compute::kBf16) return weights;
  for (auto& [name, tensor] : weights) {
    if (tensor.dtype != DType::kF32 || IsScale(name)) continue;
    auto* values = tensor.data<float>();
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      values[i] = FromBf16(ToBf16(values[i]));
    }
  }
  return weights;
}

}  // namespace hone
