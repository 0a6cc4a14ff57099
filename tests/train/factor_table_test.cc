#include "train/compress/factor_table.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "train/compress/shrink.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr std::int64_t kRows = 60;
constexpr std::int64_t kColumns = 16;

std::vector<double> SomeCounts() {
  std::vector<double> counts;
  for (std::int64_t i = 0; i < kRows; ++i) {
    counts.push_back(static_cast<double>(i % 4 == 0 ? 0 : 1000 / (i + 1)));
  }
  return counts;
}

at::Tensor Column(const std::vector<double>& counts) {
  return at::tensor(counts, at::TensorOptions().dtype(at::kDouble))
      .view({-1, 1});
}

at::Tensor Rebuilt(const NamedTensors& weights) {
  const auto get = [&](const char* name) {
    return ToTensor(weights.at(name), at::kCPU).to(at::kDouble);
  };
  return get("t.weight")
      .matmul(get("t.expand.weight").t())
      .add(get("t.expand.bias"));
}

// The weighted error equals the tail of the weighted, centred table's singular
// values (Eckart & Young 1936): no affine map of this rank has less.
TEST(FactorTable, HasTheLeastWeightedError) {
  const at::Tensor table =
      RandomTensor({kRows, kColumns}, 1, at::kDouble).add(3).to(at::kFloat);
  const at::Tensor exact = table.to(at::kDouble);
  const at::Tensor counts = Column(SomeCounts());
  for (const std::int64_t rank : {1, 5, 12}) {
    NamedTensors weights{{"t.weight", ToTensorData(table)}};
    FactorTable("t", rank, SomeCounts(), weights);
    EXPECT_EQ(weights.at("t.weight").shape,
              (std::vector<std::int64_t>{kRows, rank}));
    EXPECT_EQ(weights.at("t.expand.weight").shape,
              (std::vector<std::int64_t>{kColumns, rank}));
    const at::Tensor expand =
        ToTensor(weights.at("t.expand.weight"), at::kCPU).to(at::kDouble);
    EXPECT_LT(expand.t()
                  .matmul(expand)
                  .sub(at::eye(rank, at::kDouble))
                  .abs()
                  .max()
                  .item<double>(),
              1e-4);
    const at::Tensor mean = exact.mul(counts).sum(0, true).div(counts.sum());
    const auto [u, values, v] =
        at::linalg_svd(exact.sub(mean).mul(counts.sqrt()), false);
    const double least =
        values.narrow(0, rank, kColumns - rank).square().sum().item<double>();
    const double error =
        Rebuilt(weights).sub(exact).square().mul(counts).sum().item<double>();
    EXPECT_NEAR(error, least, 1e-4 * least);
    // Weighting pays where it counts.
    NamedTensors plain{{"t.weight", ToTensorData(table)}};
    FactorTable("t", rank, std::vector<double>(kRows, 1), plain);
    EXPECT_GT(
        Rebuilt(plain).sub(exact).square().mul(counts).sum().item<double>(),
        error);
  }
}

TEST(FactorTable, IsExactWhereTheTableHasTheRank) {
  const at::Tensor table =
      RandomTensor({kRows, 4}, 1, at::kFloat)
          .matmul(RandomTensor({4, kColumns}, 2, at::kFloat));
  NamedTensors weights{{"t.weight", ToTensorData(table)}};
  FactorTable("t", 4, SomeCounts(), weights);
  // Rows that never occur too.
  EXPECT_LT(Rebuilt(weights).sub(table).abs().max().item<double>(), 1e-3);
}

TEST(FactorTable, RefusesRanksThatSaveNothing) {
  NamedTensors weights{{"t.weight", ToTensorData(RandomTensor({kRows, kColumns},
                                                              1, at::kFloat))}};
  for (const std::int64_t rank : {-1, 0, 13, 16}) {
    try {
      FactorTable("t", rank, SomeCounts(), weights);
      ADD_FAILURE() << rank;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      // 12 x 76 is the most below 60 x 16.
      EXPECT_NE(std::string(error.what()).find("use 1 to 12"),
                std::string::npos)
          << error.what();
    }
  }
}

TEST(FactorTable, ZerosAndConstantRowsAreNoTrouble) {
  for (const double value : {0.0, 2.5}) {
    NamedTensors weights{
        {"t.weight",
         TensorData::FromFloats(
             {kRows, kColumns},
             std::vector<float>(kRows * kColumns, static_cast<float>(value)))}};
    FactorTable("t", 3, std::vector<double>(kRows), weights);
    EXPECT_LT(Rebuilt(weights).sub(value).abs().max().item<double>(), 1e-5);
  }
}

TEST(TokenCounts, CountsWhatIsReadAndPredicted) {
  TaskData data;
  data.tokens = {{0, 2, 2}, {1}};
  data.targets = {{3}, {2}};
  EXPECT_EQ(TokenCounts(data, 5), (std::vector<double>{1, 1, 3, 1, 0}));
  data = {};
  data.stream = {4, 4, 0};
  EXPECT_EQ(TokenCounts(data, 5), (std::vector<double>{1, 0, 0, 0, 2}));
}

// A network whose table has the rank computes what it computed, with the table
// as a product; also where the output layer is tied to it, but for what it adds
// to all tokens alike.
TEST(FactorTable, NetworkStaysTheSame) {
  for (const bool decoder : {false, true}) {
    const NetworkCase whole = decoder
                                  ? DecoderCase("full", {32}, Precision::kF32)
                                  : EncoderCase("full", {32}, Precision::kF32);
    NamedTensors weights = InitialWeights(whole.architecture, whole.task, 3);
    weights["embedding.weight"] =
        ToTensorData(RandomTensor({50, 4}, 1, at::kFloat)
                         .matmul(RandomTensor({4, 32}, 2, at::kFloat))
                         .add(0.5));
    Architecture narrow = whole.architecture;
    narrow.stem.embedding_rank = 4;
    narrow.stem.embedding = ParsePrecision("w8");
    TaskData rows = TinyData(16, 6, 1);
    if (decoder) {
      rows = {};
      for (std::int64_t i = 0; i < 100; ++i) rows.stream.push_back(i * 7 % 50);
      rows.window = 20;
    }
    NamedTensors shrunk = ShrinkNetwork(whole.architecture, narrow, whole.task,
                                        weights, rows, {}, 1);
    EXPECT_EQ(shrunk, weights);
    narrow.stem.embedding = Precision::kF32;
    FactorTable("embedding", 4, std::vector<double>(50, 1), shrunk);
    CheckWeights(shrunk, narrow, whole.task, "narrow");
    std::vector<float> before =
        ComputeFlatLogits(whole.architecture, whole.task, weights, rows, 8);
    std::vector<float> after =
        ComputeFlatLogits(narrow, whole.task, shrunk, rows, 8);
    const std::size_t classes = decoder ? 50 : 6;
    ASSERT_EQ(before.size(), after.size());
    for (std::size_t at = 0; at < before.size(); at += classes) {
      for (std::size_t i = 1; i < classes; ++i) {
        EXPECT_NEAR(before[at + i] - before[at], after[at + i] - after[at],
                    2e-3);
      }
    }
  }
}

}  // namespace
}  // namespace hone
