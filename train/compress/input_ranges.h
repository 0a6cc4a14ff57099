#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/compress/calibrate.h"
#include "train/compress/calibration_run.h"
#include "train/compress/matrix_quantization.h"

namespace hone {

struct InputRangeOptions {
  std::string calibration = "mse";  // a calibrator, or "auto"
  double percentile = 99.99;
  bool symmetric = false;  // SymmetricQuantizationOf
};

// The quantization of each tensor that layers with 8-bit activations read, by
// LinearUse::input. `matrices`: the rounded weights of those layers, for
// "auto", which takes for each tensor the calibrator whose codes leave the
// least sum of |W x - W' x'|^2 over the layers that read it. Throws kUsage for
// weights with which an activation is not finite, and names the layer.
std::map<std::string, ActivationQuantization> FindInputQuantizations(
    CalibrationRun& run, const LinearUses& linears, const NamedTensors& weights,
    const std::map<std::string, QuantizedMatrix>& matrices,
    const InputRangeOptions& options);

// The scale of each tensor that products in a8 read, by the name that
// RoundOperand has: the larger end of the range that the calibrator takes, over
// 127; 1 for zeros. "auto" is "mse" here. Throws as above.
std::map<std::string, float> FindOperandScales(
    CalibrationRun& run, const InputRangeOptions& options);

}  // namespace hone
