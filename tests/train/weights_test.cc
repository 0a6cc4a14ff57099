#include "train/weights.h"

#include <cmath>

#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/space/shapes.h"
#include "tests/train/eager_fixtures.h"
#include "train/eager_ops.h"
#include "train/weight_source.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(50, 7, 12);

std::int64_t Elements(const NamedTensors& tensors) {
  std::int64_t sum = 0;
  for (const auto& [name, tensor] : tensors) sum += tensor.elements();
  return sum;
}

// The cost interpreter and the eager one must agree on what exists.
TEST(InitialWeights, HaveAsManyParametersAsTheCostModelCounts) {
  for (const std::int64_t d_model : {4, 8, 32}) {
    for (const auto precision :
         {Precision::kF32, Precision::kW8A8, Precision::kW4}) {
      Architecture architecture = TinyArchitecture(d_model, precision);
      for (int layers = 2; layers <= 4; ++layers) {
        EXPECT_EQ(Elements(InitialWeights(architecture, kTask, 1)),
                  CostOf(architecture, kTask, 1, 8).parameters)
            << ShortText(architecture);
        architecture.encoder.push_back({MultiHead(1), {12}, precision});
      }
    }
  }
}

TEST(InitialWeights, DependOnSeedAndNameAlone) {
  const Architecture two = TinyArchitecture(8, Precision::kF32);
  Architecture three = two;
  three.encoder.push_back(two.encoder[0]);
  const NamedTensors small = InitialWeights(two, kTask, 1);
  const NamedTensors large = InitialWeights(three, kTask, 1);
  for (const auto& [name, tensor] : small) EXPECT_EQ(large.at(name), tensor);
  EXPECT_NE(InitialWeights(two, kTask, 2), small);
  EXPECT_NE(small.at("encoder.0.attention.query.weight"),
            small.at("encoder.0.attention.key.weight"));
}

TEST(InitialWeights, HaveTheStatedSpread) {
  const NamedTensors weights =
      InitialWeights(TinyArchitecture(64, Precision::kF32), kTask, 3);
  const auto deviation = [&](const std::string& name) {
    const TensorData& data = weights.at(name);
    double sum = 0;
    for (std::int64_t i = 0; i < data.elements(); ++i) {
      sum += static_cast<double>(data.data<float>()[i]) * data.data<float>()[i];
    }
    return std::sqrt(sum / static_cast<double>(data.elements()));
  };
  EXPECT_NEAR(deviation("encoder.0.feed_forward.up.weight"),
              std::sqrt(2.0 / (64 + 128)), 0.003);
  EXPECT_NEAR(deviation("embedding.weight"), kTableDeviation,
              0.05 * kTableDeviation);
  EXPECT_EQ(deviation("encoder.norm.weight"), 1);
  EXPECT_EQ(deviation("classifier.bias"), 0);
}

TEST(CheckWeights, NamesWhatIsMissingMisshapenOrLeftOver) {
  const Architecture architecture = TinyArchitecture(8, Precision::kF32);
  const NamedTensors good = InitialWeights(architecture, kTask, 1);
  EXPECT_NO_THROW(CheckWeights(good, architecture, kTask, "file"));
  const auto message = [&](const NamedTensors& weights) -> std::string {
    try {
      CheckWeights(weights, architecture, kTask, "teacher.safetensors");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
      return error.what();
    }
    return "";
  };
  NamedTensors missing = good;
  missing.erase("encoder.1.feed_forward.up.weight");
  EXPECT_THAT(
      message(missing),
      testing::AllOf(testing::HasSubstr("teacher.safetensors"),
                     testing::HasSubstr("encoder.1.feed_forward.up.weight")));
  NamedTensors misshapen = good;
  misshapen["classifier.bias"] = TensorData::FromFloats({3}, {1, 2, 3});
  EXPECT_THAT(message(misshapen), testing::HasSubstr("classifier.bias"));
  NamedTensors extra = good;
  extra["encoder.9.norm"] = TensorData::FromFloats({1}, {1});
  EXPECT_THAT(message(extra), testing::HasSubstr("encoder.9.norm"));
}

TEST(Tensors, SurviveTheTripThroughLibTorch) {
  const TensorData floats = TensorData::FromFloats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(ToTensorData(ToTensor(floats, at::kCPU)), floats);
  EXPECT_EQ(ToTensorData(ToTensor(floats, at::kCPU).t()),
            TensorData::FromFloats({3, 2}, {1, 4, 2, 5, 3, 6}));
  const TensorData scalar = TensorData::FromFloats({}, {7});
  EXPECT_EQ(ToTensorData(ToTensor(scalar, at::kCPU)), scalar);
  EXPECT_THROW(ToTensorData(RandomTensor({2}, 1, at::kDouble)), Error);
}

TEST(TrainableWeights, LookupTrainsOnlyTheRowsOfTheBatch) {
  TrainableWeights weights({.seed = 1});
  const at::Tensor tokens_BT =
      at::tensor(std::vector<std::int64_t>{4, 2, 4, 4}).view({2, 2});
  const at::Tensor y_BTD = weights.Lookup("e", tokens_BT, {10, 3});
  AdamTable& table = weights.tables().at("e.weight");
  y_BTD.sum().backward();
  const at::Tensor gradient_UD = table.Gradient();
  EXPECT_EQ(gradient_UD.sizes(), at::IntArrayRef({2, 3}));
  EXPECT_EQ(gradient_UD[0][0].item<float>(), 1);  // token 2
  EXPECT_EQ(gradient_UD[1][0].item<float>(), 3);  // token 4
  const at::Tensor before =
      ToTensor(weights.Snapshot().at("e.weight"), at::kCPU);
  EXPECT_TRUE(before.select(0, 4).equal(y_BTD.detach()[1][1]));
  table.Step(0.1, 1);
  const at::Tensor moved =
      ToTensor(weights.Snapshot().at("e.weight"), at::kCPU).ne(before);
  for (std::int64_t row = 0; row < 10; ++row) {
    EXPECT_EQ(moved[row].any().item<bool>(), row == 2 || row == 4);
  }
}

TEST(TrainableWeights, StartFromGivenValues) {
  TrainableWeightsOptions options{.seed = 1};
  options.initial["e.weight"] = TensorData::FromFloats({2, 2}, {1, 2, 3, 4});
  options.initial["unknown"] = TensorData::FromFloats({1}, {1});
  TrainableWeights weights(options);
  const at::Tensor tokens =
      at::tensor(std::vector<std::int64_t>{1}).view({1, 1});
  EXPECT_EQ(weights.Lookup("e", tokens, {2, 2}).flatten()[0].item<float>(), 3);
  EXPECT_THROW(weights.CheckInitialUsed(), Error);
}

}  // namespace
}  // namespace hone
