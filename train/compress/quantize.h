#pragma once

#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/base/fields.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/data/task_data.h"

namespace hone {

// Goes up when other bytes come of the same weights and options.
inline constexpr int kQuantizerVersion = 2;

// The calibrators' names (CalibratorNames) and "auto".
inline std::vector<std::string> CalibrationChoices() {
  return {"min-max", "moving-average", "percentile", "mse", "entropy", "auto"};
}

// The [quantization] table.
struct QuantizationOptions {
  std::string calibration = "mse";
  double percentile = 99.99;
  std::int64_t calibration_examples = 512;
  bool symmetric_activations = false;
  bool fuse = false;
  std::string rounding = "nearest";
  bool smoothing = false;
  bool bias_correction = false;
  bool reduce_range = true;
  bool f32_where_faster = false;
  std::int64_t qat_steps = 0;
  double qat_learning_rate = 2e-4;
  std::string qat_guide = "student";

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
    visit("symmetric_activations", self.symmetric_activations, AnyValue{},
          "8-bit activations have zero in the middle of their codes, as "
          "TensorRT asks for");
    visit("fuse", self.fuse, AnyValue{},
          "fold the gain and bias of norms into the layers that read them, "
          "before anything else");
    visit("rounding", self.rounding, OneOf{{"nearest", "gptq"}},
          "how weights find their codes; gptq: later inputs make good what "
          "rounding the earlier ones changed in a layer's output");
    visit("smoothing", self.smoothing, AnyValue{},
          "move scale between a norm and the layers that read it, as their "
          "outputs err least");
    visit("bias_correction", self.bias_correction, AnyValue{},
          "shift biases by the mean error of each output");
    visit("reduce_range", self.reduce_range, AnyValue{},
          "weights that multiply 8-bit activations have 7 bits, so that the "
          "file computes the same on CPUs whose u8 x s8 products saturate (no "
          "VNNI); false: 8 bits, for others alone");
    visit("f32_where_faster", self.f32_where_faster, AnyValue{},
          "leave those layers in f32 that the engine (the first, of \"auto\") "
          "multiplies faster so; "
          "each shape of block is timed once in a study, which takes a second "
          "or two");
    visit("qat_steps", self.qat_steps, InRange{0, 1e8},
          "steps of training with rounded weights and activations, behind the "
          "training of the student; 0: none");
    visit("qat_learning_rate", self.qat_learning_rate, InRange{1e-8, 10},
          "its peak rate");
    visit("qat_guide", self.qat_guide, OneOf{{"student", "teacher"}},
          "whom it learns from beside the labels: the student before it was "
          "rounded, or the teacher");
  }
};

// The quantized form of each linear layer and of the token table, by name;
// everything else as it was (with fuse or smoothing, norms and their readers
// are scaled against each other).
//   NAME.weight            f32 [out,in] (a table: [rows,dim]), or codes: i8
//   where they are numbers of
//                          8 or 4 bits; u8 where they lie above a zero point or
//                          name a level. One code a byte here, packed when
//                          exported
//   NAME.weight_scale      f32 [out, in/block]; [out] of rows, [] of a tensor
//   NAME.weight_zero_point u8, in the shape of the scales; asymmetric alone
//   NAME.weight_levels     i8 [2^bits]; where codes name levels
//   NAME.input_scale       f32 [], with 8-bit activations
//   NAME.input_zero_point  u8 [], likewise; 128 with symmetric_activations
//   NAME.bias              f32 [out]; with 8-bit activations i32 with scale
//                          input_scale * weight_scale[o]
// Of attention with products in a8:
//   NAME.query_operand.scale, .key_operand.scale, .value_operand.scale   f32 []
// With compute bf16 every f32 that is not a scale is one that bf16 holds.
// `calibration` holds the examples whose activations choose what depends on
// them, with the rounded table; layers that read the same tensor get the same
// input scale and zero point. Throws kUsage for weights with which an
// activation is not finite, and names the layer.
NamedTensors QuantizeNetwork(const Architecture& architecture,
                             const TaskShape& task, const NamedTensors& weights,
                             const TaskData& calibration,
                             const QuantizationOptions& options);

}  // namespace hone
