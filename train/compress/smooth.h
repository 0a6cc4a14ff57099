#pragma once

#include "train/compress/calibration_run.h"

namespace hone {

// Moves scale from the inputs of quantized layers to their weights where a norm
// feeds them: with s_j = max|x_j|^a / max|w_j|^(1-a) the norm's gain and bias
// are divided by s and the readers' columns multiplied (Xiao et al. 2023,
// SmoothQuant, eq. 4), so that the function stays as it was and both round
// better. The strength a is searched over 0, 0.1 ... 1 for each norm, by the
// squared error of its readers' outputs after rounding; where none is better,
// nothing is moved. Norms after a residual sum feed more than these layers and
// are left alone. Weights are rounded as `reduce_range` asks (MatrixOptionsOf).
NamedTensors SmoothInputs(const Architecture& architecture, CalibrationRun& run,
                          const LinearUses& linears, NamedTensors weights,
                          bool reduce_range);

}  // namespace hone
