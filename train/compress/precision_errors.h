#pragma once

#include <vector>

#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/data/task_data.h"

namespace hone {

// By how much rounding the weights of each block (encoder, then decoder) to
// each precision raises the loss of a network that has learned `data`: half the
// sum of squared gradients (SquaredGradients) times squared changes, with the
// diagonal of the empirical Fisher information in place of the Hessian (LeCun
// et al. 1990; Dong et al. 2020, HAWQ-V2, section 3). Rounded to nearest, a row
// for each block. Rounded activations are not counted, what they let weights
// keep is (`reduce_range`, MatrixOptionsOf). `weights` are f32.
std::vector<std::vector<double>> PrecisionErrors(
    const Architecture& architecture, const TaskShape& task,
    const NamedTensors& weights, const TaskData& data,
    const std::vector<Precision>& precisions, bool reduce_range);

}  // namespace hone
