#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "eval/engine/cpu.h"
#include "eval/export/onnx_export.h"
#include "eval/export/onnx_ops.h"
#include "space/base/rng.h"
#include "tests/eval/engine_testing.h"
#include "train/compress/matrix_quantization.h"
#include "train/compress/stored_matrix.h"
#include "train/eager_ops.h"

namespace hone {
namespace {

constexpr std::int64_t kRows = 6;
constexpr float kInputScale = 1.0f / 32;

// One layer with 8-bit activations whose scales are powers of two and whose
// inputs lie on the grid: then every output over its scale is the sum that was
// made in integers, to the last bit, as long as it fits a float's 24.
class IntegerLayer {
 public:
  IntegerLayer(const Precision& precision, std::int64_t in, std::int64_t out,
               int zero_point)
      : spec_{in, out, precision},
        zero_point_(zero_point),
        rng_(7, 0, "layer") {
    const int levels = 1 << precision.weight_bits;
    std::vector<std::uint8_t> places;
    std::vector<std::int8_t> table(static_cast<std::size_t>(levels));
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i] = static_cast<std::int8_t>(static_cast<int>(i) - levels / 2);
    }
    const int reach = std::min(
        levels / 2 - 1,
        SaturatesInt8(DescribeCpu()) ? static_cast<int>(kReducedLimit) : 127);
    for (std::int64_t i = 0; i < in * out; ++i) {
      const int place = levels / 2 - reach + Draw(2 * reach + 1);
      places.push_back(static_cast<std::uint8_t>(place));
      weight_.push_back(place - levels / 2);
    }
    std::vector<float> scales;
    std::vector<std::int32_t> bias;
    for (std::int64_t o = 0; o < out; ++o) {
      scales.push_back(std::ldexp(1.0f, -(5 + Draw(4))));
      bias.push_back(Draw(2001) - 1000);
    }
    bias_ = bias;
    if (precision.StoresIntegers()) {
      tensors_["layer.weight"] =
          Stored(DType::kI8, {out, in},
                 std::vector<std::int8_t>(weight_.begin(), weight_.end()));
    } else {
      tensors_["layer.weight"] = Stored(DType::kU8, {out, in}, places);
      tensors_["layer.weight_levels"] = Stored(DType::kI8, {levels}, table);
    }
    tensors_["layer.weight_scale"] = Stored(DType::kF32, {out}, scales);
    tensors_["layer.bias"] = Stored(DType::kI32, {out}, bias);
    tensors_["layer.input_scale"] =
        Stored(DType::kF32, {}, std::vector<float>{kInputScale});
    tensors_["layer.input_zero_point"] = Stored(
        DType::kU8, {},
        std::vector<std::uint8_t>{static_cast<std::uint8_t>(zero_point)});
    for (std::int64_t i = 0; i < kRows * in; ++i) codes_.push_back(Draw(256));
  }

  std::string File() const {
    OnnxWriter writer;
    OnnxOps ops(writer, tensors_, {});
    const auto x = ops.FeaturesInput(spec_.in);
    ops.Output(kLogitsOutput, ops.Linear("layer", x, spec_),
               {"batch", "tokens", spec_.out});
    return writer.Serialize({});
  }

  std::vector<float> Input() const {
    std::vector<float> input;
    for (const int code : codes_) {
      input.push_back(static_cast<float>(code - zero_point_) * kInputScale);
    }
    return input;
  }

  // sum_i (code[i] - zero_point) weight[o,i] + bias[o], in loops.
  std::vector<std::int64_t> Sums() const {
    std::vector<std::int64_t> sums;
    for (std::int64_t row = 0; row < kRows; ++row) {
      for (std::int64_t o = 0; o < spec_.out; ++o) {
        std::int64_t sum = bias_[static_cast<std::size_t>(o)];
        for (std::int64_t i = 0; i < spec_.in; ++i) {
          sum +=
              std::int64_t{
                  codes_[static_cast<std::size_t>(row * spec_.in + i)] -
                  zero_point_} *
              weight_[static_cast<std::size_t>(o * spec_.in + i)];
        }
        sums.push_back(sum);
      }
    }
    return sums;
  }

  // The integers that outputs stand for.
  std::vector<std::int64_t> Read(const std::vector<float>& outputs) const {
    const auto* scales = tensors_.at("layer.weight_scale").data<float>();
    std::vector<std::int64_t> sums;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const float sum =
          outputs[i] /
          (kInputScale * scales[i % static_cast<std::size_t>(spec_.out)]);
      EXPECT_EQ(sum, std::round(sum));
      sums.push_back(static_cast<std::int64_t>(sum));
    }
    return sums;
  }

  const LinearSpec& spec() const { return spec_; }
  const NamedTensors& tensors() const { return tensors_; }

 private:
  int Draw(int count) {
    return static_cast<int>(rng_.Below(static_cast<std::uint64_t>(count)));
  }

  LinearSpec spec_;
  int zero_point_;
  Rng rng_;
  NamedTensors tensors_;
  std::vector<int> weight_;
  std::vector<std::int32_t> bias_;
  std::vector<int> codes_;
};

std::vector<IntegerLayer> Layers() {
  std::vector<IntegerLayer> layers;
  for (const char* word : {"w8a8", "w4a8", "w2a8"}) {
    for (const int zero_point : {0, 7, 128, 255}) {
      layers.emplace_back(ParsePrecision(word), 64, 32, zero_point);
      layers.emplace_back(ParsePrecision(word), 256, 96, zero_point);
    }
  }
  return layers;
}

class Accumulators : public ::testing::TestWithParam<std::string> {};

// Equality, not tolerance: what engines make of the exported pattern.
TEST_P(Accumulators, OfTheExportedLayerAreTheIntegers) {
  const auto engine = MakeTestedEngine(GetParam());
  if (!engine) GTEST_SKIP() << kNoOnnxRuntime;
  const ScratchFolder folder;
  for (const IntegerLayer& layer : Layers()) {
    WriteFileAtomic(folder / "layer.onnx", layer.File());
    const auto model = engine->Load(folder / "layer.onnx", {});
    EXPECT_EQ(layer.Read(model->Run(layer.Input(), 2, kRows / 2)), layer.Sums())
        << Name(layer.spec().precision);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, Accumulators,
                         ::testing::ValuesIn(TestedEngines()),
                         [](const auto& info) { return info.param; });

TEST(FakeQuantizedAccumulators, OfTheEagerInterpreterAreTheIntegers) {
  const at::NoGradGuard no_grad;
  for (const IntegerLayer& layer : Layers()) {
    StoredWeights source(layer.tensors(), at::kCPU);
    EagerOps ops(source);
    const at::Tensor outputs = ops.Linear(
        "layer", at::tensor(layer.Input()).view({kRows, layer.spec().in}),
        layer.spec());
    const auto* first = outputs.const_data_ptr<float>();
    EXPECT_EQ(layer.Read({first, first + outputs.numel()}), layer.Sums())
        << Name(layer.spec().precision);
  }
}

}  // namespace
}  // namespace hone
