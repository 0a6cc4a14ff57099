#include <cmath>

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "eval/export/onnx_export.h"
#include "eval/exported_network.h"
#include "space/base/file.h"
#include "space/network/transformer.h"
#include "tests/eval/reference_network.h"
#include "tests/space/kinds.h"
#include "tests/train/random_data.h"
#include "train/compress/quantize.h"
#include "train/forward.h"
#include "train/trainer.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr std::int64_t kBatch = 8;

// The file, quantized by the product's own code, against the eager interpreter
// on the same quantized weights; every length, in the order of evaluation.
struct Logits {
  std::vector<float> eager;
  std::vector<float> exact;     // of the file as it says
  std::vector<float> measured;  // as trials are measured
};

Logits LogitsOf(const NetworkCase& one, const NamedTensors& weights) {
  const ScratchFolder folder;
  const NamedTensors quantized =
      QuantizeNetwork(one.architecture, one.task, weights,
                      RandomExamples(one.task, 64, 100), {});
  for (const auto& [name, bytes] :
       ExportOnnx(one.architecture, one.task, quantized, {})) {
    WriteFileAtomic(folder / name, bytes);
  }
  const TaskData rows = RandomExamples(one.task, 3 * one.task.max_tokens, 1000);
  const auto engine = MakeOpenVinoEngine();
  const bool bf16 = engine->ComputesInBf16();
  const auto exported = [&](const EngineOptions& options) {
    return ExportedNetwork(*engine, folder.path(), one.task, options)
        .FlatLogits(rows, kBatch);
  };
  return {
      ComputeFlatLogits(one.architecture, one.task, quantized, rows, kBatch),
      exported({.activation_group = 0, .bf16 = false}),
      exported({.bf16 = bf16})};
}

class ExportedVsEager : public ::testing::TestWithParam<NetworkCase> {};

TEST_P(ExportedVsEager, LogitsAgreeToOneInTenThousand) {
  const NetworkCase& one = GetParam();
  const Logits logits =
      LogitsOf(one, RandomWeights(one.architecture, one.task, 5));
  for (const float value : logits.eager) ASSERT_TRUE(std::isfinite(value));
  EXPECT_LT(RelativeError(logits.exact, logits.eager), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(F32, ExportedVsEager,
                         ::testing::ValuesIn(NetworkCases(32, Precision::kF32)),
                         [](const auto& info) { return TestName(info.param); });

class QuantizedVsEager
    : public ::testing::TestWithParam<std::pair<std::int64_t, Precision>> {};

TEST_P(QuantizedVsEager, LogitsAgree) {
  const auto [d_model, precision] = GetParam();
  std::vector<NetworkCase> networks{EncoderCase("full", {d_model}, precision)};
  if (precision == Precision::kW8A8 || precision == Precision::kW4) {
    networks.push_back(EncoderCase("local:3", {d_model}, precision));
    networks.push_back(EncoderCase("linear", {d_model}, precision));
    networks.push_back(DecoderCase("full:2", {d_model}, precision));
    networks.push_back(TranslationCase({d_model}, precision));
  }
  for (const NetworkCase& one : networks) {
    const Logits logits =
        LogitsOf(one, RandomWeights(one.architecture, one.task, 5));
    EXPECT_LT(RelativeError(logits.exact, logits.eager), 0.005) << one.name;
    // Activations of w4 layers rounded on the fly.
    EXPECT_LT(RelativeError(logits.measured, logits.eager), 0.03) << one.name;
  }
}

std::vector<std::pair<std::int64_t, Precision>> QuantizedCases() {
  std::vector<std::pair<std::int64_t, Precision>> cases;
  for (const Precision& precision : EveryPrecision()) {
    if (!precision.IsFloat()) cases.emplace_back(64, precision);
  }
  cases.emplace_back(128, Precision::kW8A8);
  cases.emplace_back(128, Precision::kW4);
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Precisions, QuantizedVsEager,
                         ::testing::ValuesIn(QuantizedCases()),
                         [](const auto& info) {
                           return "D" + std::to_string(info.param.first) + "_" +
                                  TestName(info.param.second);
                         });

class TablesVsEager : public ::testing::TestWithParam<NetworkCase> {};

TEST_P(TablesVsEager, LogitsAgree) {
  const NetworkCase& one = GetParam();
  const Logits logits =
      LogitsOf(one, RandomWeights(one.architecture, one.task, 5));
  EXPECT_LT(RelativeError(logits.exact, logits.eager), 1e-4);
  // A tied output layer may round what it reads on the fly.
  EXPECT_LT(RelativeError(logits.measured, logits.eager), 0.03);
}

INSTANTIATE_TEST_SUITE_P(Tables, TablesVsEager,
                         ::testing::ValuesIn(TableCases(64)),
                         [](const auto& info) { return TestName(info.param); });

class MixedVsEager : public ::testing::TestWithParam<NetworkCase> {};

TEST_P(MixedVsEager, LogitsAgree) {
  const NetworkCase& one = GetParam();
  const Logits logits =
      LogitsOf(one, RandomWeights(one.architecture, one.task, 5));
  for (const float value : logits.eager) ASSERT_TRUE(std::isfinite(value));
  // A float that lies on the edge between two steps may fall to either side,
  // which the products round again.
  EXPECT_LT(RelativeError(logits.exact, logits.eager), 0.02);
}

INSTANTIATE_TEST_SUITE_P(Linears, MixedVsEager,
                         ::testing::ValuesIn(MixedCases(40)),
                         [](const auto& info) { return TestName(info.param); });
INSTANTIATE_TEST_SUITE_P(F32WithA8, MixedVsEager,
                         ::testing::ValuesIn(CasesInA8(32, Precision::kF32)),
                         [](const auto& info) { return TestName(info.param); });
INSTANTIATE_TEST_SUITE_P(W8A8WithA8, MixedVsEager,
                         ::testing::ValuesIn(CasesInA8(64, Precision::kW8A8)),
                         [](const auto& info) { return TestName(info.param); });

class Bf16VsEager : public ::testing::TestWithParam<NetworkCase> {};

// The file says bf16 weights and f32 arithmetic. That every activation is then
// rounded to 8 binary digits too adds noise.
TEST_P(Bf16VsEager, LogitsAgree) {
  const NetworkCase& one = GetParam();
  const Logits logits =
      LogitsOf(one, RandomWeights(one.architecture, one.task, 5));
  EXPECT_LT(RelativeError(logits.exact, logits.eager), 0.01);
  EXPECT_LT(RelativeError(logits.measured, logits.eager), 0.04);
}

INSTANTIATE_TEST_SUITE_P(Networks, Bf16VsEager,
                         ::testing::ValuesIn(Bf16Cases(64)),
                         [](const auto& info) { return TestName(info.param); });

// The eager interpreter against plain arithmetic, on the same scales.
TEST_P(MixedVsEager, EagerAgreesWithThePlainReference) {
  constexpr std::int64_t kLength = 17;
  const NetworkCase& one = GetParam();
  const auto numbers = RandomInput(2 * kLength, one.task, 3);
  const NamedTensors quantized = QuantizeByRange(
      one.architecture, one.task, RandomWeights(one.architecture, one.task, 5),
      numbers, 2, kLength);
  StoredWeights source(quantized, at::kCPU);
  EagerOps ops(source);
  const at::Tensor input = at::tensor(numbers).view({2, kLength});
  const TensorData logits =
      ToTensorData(Transformer(ops, one.architecture, one.task, input, input));
  EXPECT_LT(RelativeError({logits.data<float>(),
                           logits.data<float>() + logits.elements()},
                          ReferenceLogits(one.architecture, one.task, quantized,
                                          numbers, 2, kLength)),
            0.01);
}

class EagerVsPlain : public ::testing::TestWithParam<NetworkCase> {};

// Both oracles describe one network.
TEST_P(EagerVsPlain, LogitsAgree) {
  const NetworkCase& one = GetParam();
  constexpr std::int64_t kLength = 17;
  const NamedTensors weights = RandomWeights(one.architecture, one.task, 6);
  const auto numbers = RandomInput(2 * kLength, one.task, 3);
  StoredWeights source(weights, at::kCPU);
  EagerOps ops(source);
  const at::Tensor input =
      one.task.features > 0
          ? at::tensor(numbers).view({2, kLength, -1}).to(at::kFloat)
          : at::tensor(numbers).view({2, kLength});
  const TensorData logits =
      ToTensorData(Transformer(ops, one.architecture, one.task, input, input));
  EXPECT_LT(RelativeError({logits.data<float>(),
                           logits.data<float>() + logits.elements()},
                          ReferenceLogits(one.architecture, one.task, weights,
                                          numbers, 2, kLength)),
            1e-4);
}

INSTANTIATE_TEST_SUITE_P(F32, EagerVsPlain,
                         ::testing::ValuesIn(NetworkCases(16, Precision::kF32)),
                         [](const auto& info) { return TestName(info.param); });

TEST(EagerInterpreter, AgreesWithThePlainReferenceOnTables) {
  for (const NetworkCase& one : TableCases(32)) {
    const auto tokens = RandomTokens(2 * 9, one.task.vocabulary, 3);
    const NamedTensors quantized = QuantizeByRange(
        one.architecture, one.task,
        RandomWeights(one.architecture, one.task, 5), tokens, 2, 9);
    StoredWeights source(quantized, at::kCPU);
    EagerOps ops(source);
    const at::Tensor input = at::tensor(tokens).view({2, 9});
    const TensorData logits = ToTensorData(
        Transformer(ops, one.architecture, one.task, input, input));
    EXPECT_LT(RelativeError({logits.data<float>(),
                             logits.data<float>() + logits.elements()},
                            ReferenceLogits(one.architecture, one.task,
                                            quantized, tokens, 2, 9)),
              1e-4)
        << one.name;
  }
}

TEST(EagerInterpreter, AgreesWithThePlainReferenceWhenQuantized) {
  const TaskShape task = ClassifierShape(150, 6, 34);
  for (const Precision& precision : EveryPrecision()) {
    const Architecture architecture = {{64},
                                       {BlockOf("full", 2, 128, precision),
                                        BlockOf("local:3", 4, 96, precision)}};
    const auto tokens = RandomTokens(4 * 9, task.vocabulary, 3);
    const NamedTensors quantized = QuantizeByRange(
        architecture, task, RandomWeights(architecture, task, 5), tokens, 4, 9);
    TaskData rows;
    for (std::int64_t row = 0; row < 4; ++row) {
      rows.tokens.emplace_back(tokens.begin() + row * 9,
                               tokens.begin() + (row + 1) * 9);
      rows.labels.push_back(0);
    }
    EXPECT_LT(
        RelativeError(
            ComputeFlatLogits(architecture, task, quantized, rows, kBatch),
            ReferenceLogits(architecture, task, quantized, tokens, 4, 9)),
        0.005)
        << Name(precision);
  }
}

}  // namespace
}  // namespace hone
