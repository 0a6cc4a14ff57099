#include "train/compress/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/base/half.h"
#include "space/network/transformer.h"
#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "train/compress/calibrate.h"
#include "train/compress/matrix_quantization.h"
#include "train/compress/smooth.h"
#include "train/compress/stored_matrix.h"
#include "train/eager_ops.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(40, 5, 8);

std::vector<float> Floats(const TensorData& data) {
  return {data.data<float>(), data.data<float>() + data.elements()};
}

struct QuantizeFixture {
  std::string calibration = "mse";
  TaskData data = TinyData(200, 5, 1);
  // Initial embeddings are small: the norms of a trained network are not.
  NamedTensors Weights(const Architecture& architecture) const {
    return InitialWeights(architecture, kTask, 3);
  }
  NamedTensors Quantize(const Architecture& architecture,
                        QuantizationOptions options = {}) const {
    options.calibration = calibration;
    return QuantizeNetwork(architecture, kTask, Weights(architecture), data,
                           options);
  }
  double LogitsSqnr(const Architecture& architecture,
                    const QuantizationOptions& options = {}) const {
    return Sqnr(
        Floats(ComputeLogits(architecture, kTask, Weights(architecture), data,
                             64)),
        Floats(ComputeLogits(architecture, kTask,
                             Quantize(architecture, options), data, 64)));
  }
};

struct QuantizeTest : testing::TestWithParam<std::string>, QuantizeFixture {
  QuantizeTest() { calibration = GetParam(); }
};
struct PlainQuantizeTest : testing::Test, QuantizeFixture {};

INSTANTIATE_TEST_SUITE_P(Calibration, QuantizeTest,
                         testing::ValuesIn(CalibrationChoices()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(CalibrationChoices, AreTheCalibratorsAndAuto) {
  std::vector<std::string> names = CalibratorNames();
  names.emplace_back("auto");
  EXPECT_EQ(CalibrationChoices(), names);
}

TEST_P(QuantizeTest, HasTheStatedLayout) {
  Architecture architecture = TinyArchitecture(64, Precision::kW8A8);
  architecture.encoder[1].precision = Precision::kW4;
  const NamedTensors quantized = Quantize(architecture);
  const auto expect = [&](const std::string& name, DType dtype,
                          std::vector<std::int64_t> shape) {
    ASSERT_TRUE(quantized.contains(name)) << name;
    EXPECT_EQ(quantized.at(name).dtype, dtype) << name;
    EXPECT_EQ(quantized.at(name).shape, shape) << name;
  };
  const std::string up = "encoder.0.feed_forward.up";
  expect(up + ".weight", DType::kI8, {128, 64});
  expect(up + ".weight_scale", DType::kF32, {128});
  expect(up + ".input_scale", DType::kF32, {});
  expect(up + ".input_zero_point", DType::kU8, {});
  expect(up + ".bias", DType::kI32, {128});
  const std::string down = "encoder.1.feed_forward.down";
  expect(down + ".weight", DType::kI8, {64, 64});
  expect(down + ".weight_scale", DType::kF32, {64, 2});
  expect(down + ".bias", DType::kF32, {64});
  EXPECT_FALSE(quantized.contains(down + ".input_scale"));
  expect("classifier.weight", DType::kF32, {5, 64});
  const NamedTensors weights = Weights(architecture);
  for (const char* kept :
       {"embedding.weight", "position.weight", "classifier.bias",
        "encoder.0.attention_norm.bias"}) {
    EXPECT_EQ(quantized.at(kept), weights.at(kept));
  }
}

TEST_P(QuantizeTest, RoundsTheTokenTableByRows) {
  for (const char* word : {"w8", "w4:row", "w2:row"}) {
    Architecture architecture = TinyArchitecture(48, Precision::kW8A8);
    architecture.stem.embedding = ParsePrecision(word);
    const NamedTensors weights = Weights(architecture);
    const NamedTensors quantized = Quantize(architecture);
    const std::vector<std::int64_t> shape =
        weights.at("embedding.weight").shape;
    EXPECT_EQ(quantized.at("embedding.weight").shape, shape);
    EXPECT_EQ(quantized.at("embedding.weight_scale").shape,
              (std::vector<std::int64_t>{shape[0]}));
    EXPECT_EQ(quantized.contains("embedding.weight_levels"),
              std::string(word) == "w2:row");
    StoredWeights source(quantized, at::kCPU);
    const TensorData rounded = ToTensorData(source.GetTable(
        "embedding", {shape[0], shape[1], architecture.stem.embedding}));
    const std::vector<float> exact = Floats(weights, "embedding.weight");
    const std::vector<float> expected = Dequantize(
        QuantizeMatrix(exact, shape[0], shape[1], architecture.stem.embedding));
    const std::vector<float> stored(rounded.data<float>(),
                                    rounded.data<float>() + rounded.elements());
    EXPECT_EQ(stored, expected) << word;
  }
}

// Half of the 24 bits of a fraction are gone; scales and codes are as in f32.
TEST_P(QuantizeTest, RoundsTheRestToBf16) {
  Architecture architecture = TinyArchitecture(48, Precision::kW4);
  const NamedTensors plain = Quantize(architecture);
  architecture.stem.compute = Compute::kBf16;
  for (const auto& [name, tensor] : Quantize(architecture)) {
    const TensorData& before = plain.at(name);
    if (tensor.dtype != DType::kF32 || name.ends_with("scale")) {
      EXPECT_EQ(tensor, before) << name;
      continue;
    }
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      const float value = tensor.data<float>()[i];
      const float exact = before.data<float>()[i];
      EXPECT_EQ(value, FromBf16(ToBf16(value))) << name;
      EXPECT_NEAR(value, exact, std::abs(exact) / 256) << name;
    }
  }
}

TEST_P(QuantizeTest, UsesTheLargestPowerOfTwoBlockThatDivides) {
  const Architecture architecture = TinyArchitecture(48, Precision::kW4);
  EXPECT_EQ(
      Quantize(architecture).at("encoder.0.attention.query.weight_scale").shape,
      (std::vector<std::int64_t>{48, 3}));
}

TEST_P(QuantizeTest, LayersThatReadOneTensorShareItsQuantization) {
  const NamedTensors quantized =
      Quantize(TinyArchitecture(16, Precision::kW8A8));
  const std::string attention = "encoder.1.attention.";
  for (const char* quantity : {".input_scale", ".input_zero_point"}) {
    const TensorData& query = quantized.at(attention + "query" + quantity);
    EXPECT_EQ(quantized.at(attention + "key" + quantity), query);
    EXPECT_EQ(quantized.at(attention + "value" + quantity), query);
  }
  EXPECT_NE(quantized.at(attention + "output.input_scale"),
            quantized.at(attention + "query.input_scale"));
}

TEST_P(QuantizeTest, F32StaysAsItWas) {
  const Architecture architecture = TinyArchitecture(16, Precision::kF32);
  EXPECT_EQ(Quantize(architecture), Weights(architecture));
}

TEST_P(QuantizeTest, LogitsStayCloseToF32) {
  EXPECT_GT(LogitsSqnr(TinyArchitecture(64, Precision::kW8A8)), 30);
  EXPECT_GT(LogitsSqnr(TinyArchitecture(64, Precision::kW4)), 14);
  EXPECT_GT(LogitsSqnr(TinyArchitecture(64, Precision::kW8A8)),
            LogitsSqnr(TinyArchitecture(64, Precision::kW4)) + 6);
}

// The largest number that a layer's weights are in units of their scale.
int LargestLevel(const NamedTensors& quantized) {
  const std::string weight = "encoder.0.attention.key.weight";
  const auto table = quantized.find(weight + "_levels");
  const TensorData& levels =
      table == quantized.end() ? quantized.at(weight) : table->second;
  int largest = 0;
  for (std::int64_t i = 0; i < levels.elements(); ++i) {
    largest = std::max(largest, std::abs(int{levels.data<std::int8_t>()[i]}));
  }
  return largest;
}

TEST_P(QuantizeTest, PairsOfProductsWithActivationsFitSixteenBits) {
  for (const Precision& precision : EveryPrecision()) {
    if (!precision.int8_activations ||
        precision.levels == Levels::kAsymmetric) {
      continue;
    }
    const int largest = LargestLevel(Quantize(TinyArchitecture(16, precision)));
    EXPECT_LE(2 * 255 * largest, 32767) << Name(precision);
  }
  EXPECT_EQ(LargestLevel(Quantize(TinyArchitecture(16, Precision::kW8A8))), 63);
}

TEST_P(QuantizeTest, TheRangeIsWholeWhereNothingSaturates) {
  EXPECT_EQ(LargestLevel(Quantize(TinyArchitecture(16, Precision::kW8A8),
                                  {.reduce_range = false})),
            127);
  EXPECT_EQ(LargestLevel(Quantize(TinyArchitecture(16, ParsePrecision("w8")))),
            127);
}

// Each way to round better leaves logits closer, or as close.
TEST_F(PlainQuantizeTest, BetterRoundingBringsLogitsCloser) {
  for (const char* word : {"w4a8", "w4:row", "w3:row"}) {
    const Architecture architecture =
        TinyArchitecture(64, ParsePrecision(word));
    const double plain = LogitsSqnr(architecture);
    EXPECT_GT(LogitsSqnr(architecture, {.rounding = "gptq"}), plain + 1)
        << word;
    EXPECT_GT(LogitsSqnr(architecture, {.bias_correction = true}), plain - 0.2)
        << word;
    EXPECT_GT(LogitsSqnr(architecture, {.smoothing = true}), plain - 1) << word;
  }
}

// Scale between a norm and its readers: the function stays as it was.
TEST_P(QuantizeTest, SymmetricActivationsHaveZeroInTheMiddle) {
  const Architecture architecture = TinyArchitecture(64, Precision::kW8A8);
  const QuantizationOptions options{.symmetric_activations = true};
  for (const auto& [name, tensor] : Quantize(architecture, options)) {
    if (!name.ends_with(".input_zero_point")) continue;
    EXPECT_EQ(*tensor.data<std::uint8_t>(), 128) << name;
  }
  // At most the bit is lost that one-sided tensors leave unused.
  EXPECT_GT(LogitsSqnr(architecture, options), LogitsSqnr(architecture) - 7);
}

TEST_F(PlainQuantizeTest, SmoothingLeavesTheFunctionAsItWas) {
  const Architecture architecture = TinyArchitecture(64, Precision::kW8A8);
  NamedTensors weights = Weights(architecture);
  // An outlier channel, which is what smoothing is for.
  weights.at("encoder.0.attention_norm.weight").data<float>()[3] = 40;
  const LinearUses linears =
      CalibrationRun(architecture, kTask, weights, data).FindLinears();
  CalibrationRun run(architecture, kTask, weights, data);
  const NamedTensors smooth =
      SmoothInputs(architecture, run, linears, weights, true);
  EXPECT_NE(smooth.at("encoder.0.attention_norm.weight"),
            weights.at("encoder.0.attention_norm.weight"));
  const Architecture f32 = WithoutPrecision(architecture);
  const std::vector<float> a = ComputeFlatLogits(f32, kTask, weights, data, 64);
  const std::vector<float> b = ComputeFlatLogits(f32, kTask, smooth, data, 64);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], 1e-4 * (1 + std::abs(a[i])));
  }
  const auto sqnr = [&](bool smoothing) {
    const NamedTensors quantized = QuantizeNetwork(
        architecture, kTask, weights, data, {.smoothing = smoothing});
    return Sqnr(a, ComputeFlatLogits(architecture, kTask, quantized, data, 64));
  };
  EXPECT_GT(sqnr(true), sqnr(false) + 3);
}

// Readers of one norm in several precisions, one of them f32, and readers of
// which some are factored: all are scaled with the norm or none.
TEST_F(PlainQuantizeTest, SmoothingScalesEveryReaderOfANorm) {
  for (const NetworkCase& one : MixedCases(40)) {
    if (one.task.topology != Topology::kEncoder) continue;
    NamedTensors weights = InitialWeights(one.architecture, kTask, 3);
    weights.at("encoder.0.attention_norm.weight").data<float>()[3] = 40;
    CalibrationRun run(one.architecture, kTask, weights, data);
    const NamedTensors smooth =
        SmoothInputs(one.architecture, run, run.FindLinears(), weights, true);
    EXPECT_NE(smooth.at("encoder.0.attention_norm.weight"),
              weights.at("encoder.0.attention_norm.weight"));
    const Architecture f32 = WithoutPrecision(one.architecture);
    const auto a = ComputeFlatLogits(f32, kTask, weights, data, 64);
    const auto b = ComputeFlatLogits(f32, kTask, smooth, data, 64);
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_NEAR(a[i], b[i], 1e-4 * (1 + std::abs(a[i]))) << one.name;
    }
  }
}

// query f32, key w8a8, value w4, output w2a8 and so on.
TEST_P(QuantizeTest, EachLayerHasItsOwnPrecision) {
  for (const NetworkCase& one : MixedCases(40)) {
    if (one.task.topology != Topology::kEncoder) continue;
    const NamedTensors quantized = Quantize(one.architecture);
    const LinearUses linears =
        CalibrationRun(one.architecture, kTask, Weights(one.architecture), data)
            .FindLinears();
    std::map<std::string, TensorData> scale_of_input;
    for (const auto& [name, use] : linears) {
      const Precision& precision = use.spec.precision;
      EXPECT_EQ(quantized.contains(name + ".weight_scale"),
                !precision.IsFloat());
      EXPECT_EQ(quantized.contains(name + ".input_scale"),
                precision.int8_activations);
      EXPECT_EQ(quantized.at(name + ".bias").dtype,
                precision.int8_activations ? DType::kI32 : DType::kF32);
      if (!precision.int8_activations) continue;
      const TensorData& scale = quantized.at(name + ".input_scale");
      const auto [known, fresh] = scale_of_input.try_emplace(use.input, scale);
      EXPECT_EQ(known->second, scale) << name;
    }
    // gate and up read one tensor, factored or not.
    const std::string first = one.architecture.encoder[0].rank > 0
                                  ? "encoder.0.attention.query.reduce"
                                  : "encoder.0.attention.query";
    for (const char* role : {"key", "value"}) {
      const std::string whole = std::string("encoder.0.attention.") + role;
      const auto use = linears.contains(whole) ? linears.at(whole)
                                               : linears.at(whole + ".reduce");
      EXPECT_EQ(use.input, first) << one.name;
    }
  }
}

// Layers behind a first reader in f32 are rounded with the errors of their
// inputs in sight too.
TEST_F(PlainQuantizeTest, GptqServesLayersBesideAFloatOne) {
  Architecture architecture = TinyArchitecture(64, ParsePrecision("w3:row"));
  for (BlockSpec& block : architecture.encoder) {
    block.linears[LinearRole::kQuery] = Precision::kF32;
  }
  const std::string key = "encoder.0.attention.key.weight";
  EXPECT_NE(Quantize(architecture, {.rounding = "gptq"}).at(key),
            Quantize(architecture).at(key));
  EXPECT_GT(LogitsSqnr(architecture, {.rounding = "gptq"}),
            LogitsSqnr(architecture) + 1);
}

// The largest query, key and value that the network makes, over 127.
TEST_F(PlainQuantizeTest, OperandScalesAreTheirLargestValues) {
  calibration = "min-max";
  Architecture architecture = TinyArchitecture(32, Precision::kF32);
  architecture.encoder[0].products = AttentionProducts::kA8;
  const NamedTensors quantized = Quantize(architecture);
  EXPECT_FALSE(quantized.contains("encoder.1.attention.key_operand.scale"));
  const NamedTensors weights = Weights(architecture);
  StoredWeights source(weights, at::kCPU);
  const at::NoGradGuard no_grad;
  for (const std::string role : {"query", "key", "value"}) {
    const std::string name = "encoder.0.attention." + role;
    EagerOps ops(source, {.taps = {name}});
    double largest = 0;
    for (const Batch& rows : OrderedBatches(data, 64)) {
      const NetworkBatch batch = MakeNetworkBatch(data, kTask, rows, at::kCPU);
      Transformer(ops, WithoutPrecision(architecture), kTask, batch.input,
                  batch.target);
      largest = std::max(largest, ops.TakeTap(name).abs().max().item<double>());
    }
    if (role == "query") largest /= std::sqrt(32 / 2);
    EXPECT_NEAR(quantized.at(name + "_operand.scale").data<float>()[0],
                largest / 127, 1e-6 * largest)
        << role;
  }
}

TEST_P(QuantizeTest, ProductsInA8StayCloseToF32) {
  Architecture architecture = TinyArchitecture(64, Precision::kF32);
  for (BlockSpec& block : architecture.encoder) {
    block.products = AttentionProducts::kA8;
  }
  const double sqnr = LogitsSqnr(architecture);
  EXPECT_GT(sqnr, 30);
  EXPECT_LT(sqnr, 120);  // something was rounded
}

TEST_F(PlainQuantizeTest, RefusesOperandsThatAreNotFinite) {
  Architecture architecture = TinyArchitecture(16, Precision::kF32);
  architecture.encoder[0].products = AttentionProducts::kA8;
  NamedTensors weights = Weights(architecture);
  weights.at("encoder.0.attention.key.weight").data<float>()[0] =
      std::numeric_limits<float>::infinity();
  try {
    QuantizeNetwork(architecture, kTask, weights, data, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("key_operand"), std::string::npos)
        << error.what();
  }
}

TEST_F(PlainQuantizeTest, OperandsThatAreAllZeroKeepTheScaleOne) {
  Architecture architecture = TinyArchitecture(16, Precision::kF32);
  architecture.encoder[0].products = AttentionProducts::kA8;
  NamedTensors weights = Weights(architecture);
  for (const char* end : {".weight", ".bias"}) {
    TensorData& tensor =
        weights.at(std::string("encoder.0.attention.value") + end);
    std::fill_n(tensor.data<float>(), tensor.elements(), 0.F);
  }
  const NamedTensors quantized =
      QuantizeNetwork(architecture, kTask, weights, data, {});
  EXPECT_EQ(
      quantized.at("encoder.0.attention.value_operand.scale").data<float>()[0],
      1);
  for (const float logit :
       ComputeFlatLogits(architecture, kTask, quantized, data, 64)) {
    EXPECT_TRUE(std::isfinite(logit));
  }
}

// What the interpreter computes in floats is what an engine computes in
// integers: u8 x s8 sums in int32, the int32 bias, one scale for each output.
TEST_P(QuantizeTest, LinearEqualsIntegerArithmetic) {
  const Architecture architecture = TinyArchitecture(64, Precision::kW8A8);
  const NamedTensors quantized = Quantize(architecture);
  const std::string name = "encoder.0.feed_forward.up";
  StoredWeights source(quantized, at::kCPU);
  EagerOps ops(source);
  const at::Tensor x = RandomTensor({10, 64}, 5, at::kFloat).mul_(2);
  const at::Tensor y = ops.Linear(name, x, {64, 128, Precision::kW8A8});
  const float input_scale =
      quantized.at(name + ".input_scale").data<float>()[0];
  const std::int32_t zero =
      quantized.at(name + ".input_zero_point").data<std::uint8_t>()[0];
  const auto* codes = quantized.at(name + ".weight").data<std::int8_t>();
  const auto* scales = quantized.at(name + ".weight_scale").data<float>();
  const auto* bias = quantized.at(name + ".bias").data<std::int32_t>();
  for (std::int64_t row = 0; row < 10; ++row) {
    const auto* values = x.const_data_ptr<float>() + row * 64;
    for (std::int64_t o = 0; o < 128; ++o) {
      std::int32_t accumulator = bias[o];
      double magnitude = std::abs(bias[o]);
      for (std::int64_t i = 0; i < 64; ++i) {
        const auto code = static_cast<std::int32_t>(std::clamp(
            std::nearbyint(values[i] / input_scale) + static_cast<float>(zero),
            0.F, 255.F));
        accumulator += (code - zero) * codes[o * 64 + i];
        magnitude += std::abs((code - zero) * codes[o * 64 + i]);
      }
      const double scale = static_cast<double>(input_scale) * scales[o];
      EXPECT_NEAR(y[row][o].item<double>(), accumulator * scale,
                  1e-5 * magnitude * scale);
    }
  }
}

TEST(SomeRows, AreSpreadOverTheSplit) {
  TaskData data;
  for (std::int64_t i = 0; i < 10; ++i) {
    data.tokens.push_back({i});
    data.labels.push_back(i);
  }
  EXPECT_EQ(SomeRows(data, 4).labels, (std::vector<std::int64_t>{0, 2, 5, 7}));
  EXPECT_EQ(SomeRows(data, 4).tokens[3], (std::vector<std::int64_t>{7}));
  EXPECT_EQ(SomeRows(data, 11).size(), 10u);
}

}  // namespace
}  // namespace hone
