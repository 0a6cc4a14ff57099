#include "train/compress/fuse.h"

#include <cmath>

#include <gtest/gtest.h>

#include "space/base/rng.h"
#include "tests/space/kinds.h"
#include "tests/train/random_data.h"
#include "train/compress/quantize.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr std::int64_t kBatch = 8;

bool IsNorm(const std::string& name) {
  return name.find("norm.") != std::string::npos;
}

// Gains and biases far from what untrained norms have.
NamedTensors Weights(const NetworkCase& one) {
  NamedTensors weights = InitialWeights(one.architecture, one.task, 3);
  for (auto& [name, tensor] : weights) {
    if (!IsNorm(name)) continue;
    Rng rng(5, 0, name);
    auto* values = reinterpret_cast<float*>(tensor.bytes.data());
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      const auto draw = static_cast<float>(rng.Uniform());
      values[i] = name.ends_with(".bias") ? draw - 0.5f : draw + 0.5f;
    }
  }
  return weights;
}

std::vector<float> Logits(const NetworkCase& one, const NamedTensors& weights) {
  return ComputeFlatLogits(one.architecture, one.task, weights,
                           RandomExamples(one.task, 24, 7), kBatch);
}

bool IsFolded(const NamedTensors& weights, const std::string& name) {
  const TensorData& tensor = weights.at(name);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const float wanted = name.ends_with(".bias") ? 0 : 1;
    if (tensor.data<float>()[i] != wanted) return false;
  }
  return true;
}

class FusedNetwork : public ::testing::TestWithParam<NetworkCase> {};

TEST_P(FusedNetwork, ComputesWhatItDidBefore) {
  const NetworkCase& one = GetParam();
  const NamedTensors weights = Weights(one);
  const NamedTensors fused = FuseNorms(one.architecture, weights);
  const std::vector<float> before = Logits(one, weights);
  const std::vector<float> after = Logits(one, fused);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    ASSERT_NEAR(before[i], after[i], 1e-5 * (1 + std::abs(before[i])));
  }
  const StemSpec& stem = one.architecture.stem;
  for (const auto& [name, tensor] : fused) {
    if (!IsNorm(name)) continue;
    const bool tied = stem.output == OutputEmbedding::kTied &&
                      name.starts_with("decoder.norm.");
    EXPECT_EQ(IsFolded(fused, name),
              stem.norm_place == NormPlace::kPre && !tied)
        << name;
  }
  if (stem.norm_place == NormPlace::kPost) {
    EXPECT_EQ(fused, weights);
  }
  EXPECT_EQ(FuseNorms(one.architecture, fused), fused);
}

std::vector<NetworkCase> Cases() {
  std::vector<NetworkCase> cases = NetworkCases(32, Precision::kF32);
  // RMSNorm before its sublayer, which the others lack.
  StemSpec stem{32};
  stem.norm = Norm::kRms;
  for (NetworkCase one : {EncoderCase("full", stem, Precision::kF32),
                          DecoderCase("full:2", stem, Precision::kF32),
                          TranslationCase(stem, Precision::kF32)}) {
    one.name += " rms pre";
    cases.push_back(one);
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Kinds, FusedNetwork, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return TestName(info.param); });

// The spread of the difference, as a share of that of the exact logits.
double ErrorOf(const NetworkCase& one, const NamedTensors& weights,
               const QuantizationOptions& options) {
  const NamedTensors quantized =
      QuantizeNetwork(one.architecture, one.task, weights,
                      RandomExamples(one.task, 64, 100), options);
  NetworkCase exact = one;
  exact.architecture = WithoutPrecision(one.architecture);
  const std::vector<float> a = Logits(exact, weights);
  const std::vector<float> b = Logits(one, quantized);
  double error = 0;
  double power = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (a[i] - b[i]) * (a[i] - b[i]);
    power += a[i] * a[i];
  }
  return std::sqrt(error / power);
}

// Fuse, smooth, round: in this order, and each works with the others.
TEST(Fuse, WorksWithSmoothingAndRounding) {
  for (const Precision& precision : {Precision::kW8A8, Precision::kW4}) {
    const NetworkCase one = EncoderCase("full", {64}, precision);
    const NamedTensors weights = Weights(one);
    const double plain = ErrorOf(one, weights, {});
    for (const bool smoothing : {false, true}) {
      const double fused =
          ErrorOf(one, weights, {.fuse = true, .smoothing = smoothing});
      EXPECT_LT(fused, 2 * plain + 0.01) << Name(precision);
    }
    const NamedTensors quantized =
        QuantizeNetwork(one.architecture, one.task, weights,
                        RandomExamples(one.task, 64, 100), {.fuse = true});
    EXPECT_TRUE(IsFolded(quantized, "encoder.1.feed_forward_norm.weight"));
    EXPECT_TRUE(IsFolded(quantized, "encoder.norm.bias"));
  }
}

}  // namespace
}  // namespace hone
