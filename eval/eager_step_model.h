#pragma once

#include <memory>

#include "eval/decode/step_model.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"

namespace hone {

// A decoder, or an encoder-decoder, run by the eager interpreter with fixed
// weights, f32 or quantized: what the exported files are compared with.
// Not thread-safe.
std::unique_ptr<StepModel> MakeEagerStepModel(const Architecture& architecture,
                                              const TaskShape& task,
                                              const NamedTensors& weights);

}  // namespace hone
