#pragma once

#include "space/architecture.h"
#include "space/base/tensor_data.h"

namespace hone {

// Quantized weights (quantize.h) of an architecture that computes in bf16, with
// every float weight rounded to the nearest bf16, kept as f32: what its file
// stores. Scales stay as they are. Of other architectures: the same.
NamedTensors InCompute(const Architecture& architecture, NamedTensors weights);

}  // namespace hone
