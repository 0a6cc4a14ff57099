#include <cmath>

#include <gtest/gtest.h>

#include "eval/engine/engine.h"
#include "eval/export/onnx_export.h"
#include "eval/quality.h"
#include "space/base/file.h"
#include "space/base/rng.h"
#include "tests/eval/reference_network.h"
#include "tests/space/temp_folder.h"
#include "train/compress/quantize.h"
#include "train/trainer.h"
#include "train/weights.h"

namespace hone {
namespace {

const TaskShape kTask{150, 6, 34, 32};
constexpr std::int64_t kBatch = 8;

// Rows of every length from 1 to max_tokens.
TaskData Rows(std::int64_t count, std::uint64_t seed) {
  TaskData data;
  for (std::int64_t row = 0; row < count; ++row) {
    data.tokens.push_back(RandomTokens(1 + row % kTask.max_tokens,
                                       kTask.vocabulary,
                                       seed + static_cast<std::uint64_t>(row)));
    data.labels.push_back(row % kTask.classes);
  }
  return data;
}

std::vector<float> Floats(const TensorData& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.elements()};
}

Architecture Make(std::int64_t d_model, Precision precision) {
  return {{d_model},
          {{FullAttention{2}, {2 * d_model}, precision},
           {LocalAttention{4, 3}, {d_model + 32}, precision}}};
}

NamedTensors Weights(const Architecture& architecture) {
  return RandomWeights(architecture, kTask, 5);
}

class ExportedVsEager : public ::testing::TestWithParam<Architecture> {
 protected:
  static void SetUpTestSuite() { InitializeTorch(); }
};

// The file, quantized by the product's own code, against the eager interpreter
// on the same quantized weights; every length, in the order of evaluation.
TEST_P(ExportedVsEager, LogitsAgree) {
  const Architecture& architecture = GetParam();
  const TempFolder folder;
  const auto file = folder / "model.onnx";
  const NamedTensors quantized = QuantizeClassifier(
      architecture, kTask, Weights(architecture), Rows(64, 100), {});
  WriteFileAtomic(file, ExportOnnx(architecture, kTask, quantized, {}));
  const TaskData rows = Rows(3 * kTask.max_tokens, 1000);
  const std::vector<float> expected = Floats(
      ComputeQuantizedLogits(architecture, kTask, quantized, rows, kBatch));
  const auto engine = MakeOpenVinoEngine();
  const auto logits = [&](const EngineOptions& options) {
    return RunModel(*engine->Load(file, options), rows, kBatch, kTask.classes);
  };
  const std::vector<float> exact = logits({.activation_group = 0});
  if (architecture == WithoutPrecision(architecture)) {
    for (std::size_t i = 0; i < exact.size(); ++i) {
      EXPECT_NEAR(exact[i], expected[i], 1e-4);
    }
  }
  EXPECT_LT(RelativeError(exact, expected), 0.005);
  // As trials are measured: activations of w4 layers rounded on the fly.
  EXPECT_LT(RelativeError(logits({}), expected), 0.02);
}

INSTANTIATE_TEST_SUITE_P(
    Architectures, ExportedVsEager,
    ::testing::Values(Make(32, Precision::kF32), Make(128, Precision::kF32),
                      Make(64, Precision::kW8A8), Make(128, Precision::kW8A8),
                      Make(64, Precision::kW4), Make(128, Precision::kW4)),
    [](const auto& info) {
      return "D" + std::to_string(info.param.stem.d_model) + "_" +
             std::string(Name(info.param.blocks[0].precision));
    });

// Both oracles describe one network.
TEST(EagerInterpreter, AgreesWithThePlainReference) {
  InitializeTorch();
  for (const Precision precision :
       {Precision::kF32, Precision::kW8A8, Precision::kW4}) {
    const Architecture architecture = Make(64, precision);
    const auto tokens = RandomTokens(4 * 9, kTask.vocabulary, 3);
    const NamedTensors quantized = QuantizeByRange(
        architecture, kTask, Weights(architecture), tokens, 4, 9);
    TaskData rows;
    for (std::int64_t row = 0; row < 4; ++row) {
      rows.tokens.emplace_back(tokens.begin() + row * 9,
                               tokens.begin() + (row + 1) * 9);
      rows.labels.push_back(0);
    }
    EXPECT_LT(RelativeError(Floats(ComputeQuantizedLogits(
                                architecture, kTask, quantized, rows, kBatch)),
                            ReferenceLogits(architecture, kTask, quantized,
                                            tokens, 4, 9)),
              0.005)
        << Name(precision);
  }
}

}  // namespace
}  // namespace hone
