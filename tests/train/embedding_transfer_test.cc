#include "train/distill/embedding_transfer.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "space/base/rng.h"

namespace hone {
namespace {

constexpr std::int64_t kRows = 50;
constexpr std::int64_t kWidth = 6;

// Independent columns of very different spread, shifted from zero.
TensorData Table() {
  Rng rng(1, 0, "table");
  std::vector<float> values;
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t d = 0; d < kWidth; ++d) {
      values.push_back(
          static_cast<float>(3 + std::pow(4.0, -d) * rng.Normal()));
    }
  }
  return TensorData::FromFloats({kRows, kWidth}, values);
}

double SquaredDistance(const TensorData& table, std::int64_t a,
                       std::int64_t b) {
  const std::int64_t width = table.shape[1];
  double sum = 0;
  for (std::int64_t d = 0; d < width; ++d) {
    sum += std::pow(
        table.data<float>()[a * width + d] - table.data<float>()[b * width + d],
        2);
  }
  return sum;
}

TEST(ProjectEmbedding, FullWidthKeepsDistancesAndCentres) {
  const TensorData table = Table();
  const TensorData projected = ProjectEmbedding(table, kWidth);
  for (std::int64_t row = 1; row < kRows; ++row) {
    EXPECT_NEAR(SquaredDistance(projected, 0, row),
                SquaredDistance(table, 0, row), 1e-4);
  }
  for (std::int64_t d = 0; d < kWidth; ++d) {
    double mean = 0;
    for (std::int64_t row = 0; row < kRows; ++row) {
      mean += projected.data<float>()[row * kWidth + d] / kRows;
    }
    EXPECT_NEAR(mean, 0, 1e-5);
  }
}

// Components come by falling variance, and what two of them miss is what the
// others hold (Eckart & Young).
TEST(ProjectEmbedding, KeepsTheLargestComponents) {
  const TensorData whole = ProjectEmbedding(Table(), kWidth);
  const TensorData two = ProjectEmbedding(Table(), 2);
  std::vector<double> variance(kWidth, 0);
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t d = 0; d < kWidth; ++d) {
      const float value = whole.data<float>()[row * kWidth + d];
      variance[static_cast<std::size_t>(d)] += value * value;
      if (d < 2) {
        EXPECT_EQ(two.data<float>()[row * 2 + d], value);
      }
    }
  }
  EXPECT_TRUE(std::is_sorted(variance.rbegin(), variance.rend()));
}

TEST(ProjectEmbedding, WiderStudentsGetZeros) {
  const TensorData wide = ProjectEmbedding(Table(), kWidth + 3);
  EXPECT_EQ(wide.shape, (std::vector<std::int64_t>{kRows, kWidth + 3}));
  const TensorData whole = ProjectEmbedding(Table(), kWidth);
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t d = 0; d < kWidth + 3; ++d) {
      const float value = wide.data<float>()[row * (kWidth + 3) + d];
      EXPECT_EQ(value,
                d < kWidth ? whole.data<float>()[row * kWidth + d] : 0.0f);
    }
  }
}

}  // namespace
}  // namespace hone
