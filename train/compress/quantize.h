#pragma once

#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/base/fields.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/data/task_data.h"

namespace hone {

// The calibrators' names (calibrate.h) and "auto".
const std::vector<std::string>& CalibrationChoices();

// The [quantization] table.
struct QuantizationOptions {
  std::string calibration = "mse";
  double percentile = 99.99;
  std::int64_t calibration_examples = 512;
  std::int64_t w4_block = 32;
  bool reduce_range = false;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit(
        "calibration", self.calibration, OneOf{CalibrationChoices()},
        "how the range of activations is chosen; \"auto\": for each tensor as "
        "its layers' outputs err least");
    visit("percentile", self.percentile, InRange{50, 100},
          "percent of the activations that \"percentile\" keeps");
    visit("calibration_examples", self.calibration_examples, InRange{1, 1e6},
          "examples of the training split that calibration reads");
    visit("w4_block", self.w4_block, InRange{16, 128},
          "inputs that share one 4-bit scale: 32, 64 or 128");
    visit("reduce_range", self.reduce_range, AnyValue{},
          "7-bit weights, for CPUs whose u8 x s8 products saturate (no VNNI)");
  }
};

// The quantized form of each linear layer, by name; everything else as it was.
//   f32    NAME.weight f32 [out,in]            NAME.bias f32 [out]
//   w8a8   NAME.weight i8 [out,in] in -127..127, NAME.weight_scale f32 [out],
//          NAME.input_scale f32 [], NAME.input_zero_point u8 [],
//          NAME.bias i32 [out] with scale input_scale * weight_scale[o]
//   w4     NAME.weight i8 [out,in] in -8..7 (one value a byte here; packed when
//          exported), NAME.weight_scale f32 [out, in/block], NAME.bias f32
// `calibration` holds the examples whose activations choose input_scale and
// input_zero_point; layers that read the same tensor get the same ones. With
// "auto" the calibrator is chosen for each tensor: the one whose codes leave
// the least sum of |W x - W' x'|^2 over the layers that read it.
// Where block does not divide `in`, the largest power of two that does is used.
// Throws kUsage for weights with which an activation is not finite, and names
// the layer.
NamedTensors QuantizeNetwork(const Architecture& architecture,
                             const TaskShape& task, const NamedTensors& weights,
                             const TaskData& calibration,
                             const QuantizationOptions& options);

}  // namespace hone
