#include "train/optimizer.h"

#include <cmath>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "space/base/rng.h"

namespace hone {
namespace {

at::Tensor Normal(at::IntArrayRef shape, std::uint64_t seed,
                  at::ScalarType type = at::kDouble) {
  return at::empty(shape, type)
      .normal_(0, 1, at::detail::createCPUGenerator(seed));
}

// Algorithm 2 of Loshchilov & Hutter 2019 for one number.
struct ReferenceAdamW {
  double value;
  double m = 0;
  double v = 0;
  int t = 0;
  void Step(double g, double lr, double decay) {
    ++t;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    value -= lr * decay * value;
    value -= lr * (m / (1 - std::pow(0.9, t))) /
             (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
  }
};

TEST(LearningRateSchedule, WarmsUpAndFallsAsACosine) {
  const LearningRateSchedule schedule{2.0, 10, 110};
  EXPECT_DOUBLE_EQ(schedule.At(0), 0.2);
  EXPECT_DOUBLE_EQ(schedule.At(9), 2.0);
  EXPECT_DOUBLE_EQ(schedule.At(10), 2.0);
  EXPECT_NEAR(schedule.At(60), 1.0, 1e-12);
  EXPECT_NEAR(schedule.At(35), 1 + std::sqrt(0.5), 1e-12);
  EXPECT_DOUBLE_EQ(schedule.At(110), 0);
}

TEST(LearningRateSchedule, MayBeAllWarmUp) {
  const LearningRateSchedule schedule{1.0, 100, 10};
  EXPECT_DOUBLE_EQ(schedule.At(9), 0.1);
}

TEST(GradientNorm, IsTheNormOfAllTogether) {
  EXPECT_DOUBLE_EQ(GradientNorm({at::tensor({3.0}), at::tensor({0.0, 4.0})}),
                   5.0);
}

TEST(AdamW, EqualsTheReference) {
  at::Tensor matrix = Normal({3, 2}, 1);
  at::Tensor bias = Normal({2}, 2);
  std::vector<ReferenceAdamW> references;
  for (int i = 0; i < 6; ++i) {
    references.push_back({matrix.view({-1})[i].item<double>()});
  }
  for (int i = 0; i < 2; ++i) references.push_back({bias[i].item<double>()});
  matrix.set_requires_grad(true);
  bias.set_requires_grad(true);
  AdamW optimizer({matrix}, {bias}, {.weight_decay = 0.1});
  for (int step = 0; step < 20; ++step) {
    const double lr = 0.01 * (step + 1);
    const double divisor = step % 2 == 0 ? 1 : 2.5;
    matrix.mutable_grad() = Normal({3, 2}, 100 + step);
    bias.mutable_grad() = Normal({2}, 200 + step);
    for (int i = 0; i < 8; ++i) {
      const double gradient = i < 6 ? matrix.grad().view({-1})[i].item<double>()
                                    : bias.grad()[i - 6].item<double>();
      references[i].Step(gradient / divisor, lr, i < 6 ? 0.1 : 0);
    }
    optimizer.Step(lr, divisor);
  }
  for (int i = 0; i < 8; ++i) {
    const double value = i < 6 ? matrix.view({-1})[i].item<double>()
                               : bias[i - 6].item<double>();
    EXPECT_NEAR(value, references[i].value,
                1e-9 * std::abs(references[i].value));
  }
}

// The oracle of AdamTable is dense Adam, whose gradient is zero outside the
// rows touched.
TEST(AdamTable, EqualsDenseAdam) {
  constexpr std::int64_t kRows = 40;
  constexpr std::int64_t kDim = 3;
  constexpr int kSteps = 400;
  at::Tensor dense = Normal({kRows, kDim}, 1);
  AdamTable table(dense.clone(), {});
  dense.set_requires_grad(true);
  AdamW optimizer({}, {dense}, {});
  const LearningRateSchedule schedule{0.01, 20, kSteps};
  Rng rng(3);
  for (int step = 0; step < kSteps; ++step) {
    std::vector<std::int64_t> touched;
    for (std::int64_t row = 0; row < kRows; ++row) {
      // Some rows are common, some rare, some are never touched.
      if (rng.Bernoulli(row < 30 ? 1.0 / static_cast<double>(1 + row * row)
                                 : 0)) {
        touched.push_back(row);
      }
    }
    if (touched.empty()) touched.push_back(1);
    const at::Tensor rows_U = at::tensor(touched);
    const at::Tensor fetched = table.Fetch(rows_U);
    {
      const at::NoGradGuard no_grad;
      EXPECT_LT(
          fetched.sub(dense.index_select(0, rows_U)).abs().max().item<double>(),
          1e-5)
          << "step " << step;
    }
    const at::Tensor gradient =
        Normal({static_cast<std::int64_t>(touched.size()), kDim}, 1000 + step);
    fetched.mutable_grad() = gradient.clone();
    dense.mutable_grad() =
        at::zeros({kRows, kDim}, at::kDouble).index_copy_(0, rows_U, gradient);
    const double divisor = step % 3 == 0 ? 1.7 : 1;
    table.Step(schedule.At(step), divisor);
    optimizer.Step(schedule.At(step), divisor);
  }
  const at::NoGradGuard no_grad;
  EXPECT_LT(table.Value().sub(dense).abs().max().item<double>(), 1e-5);
  // The whole motion is orders above the tolerance.
  EXPECT_GT(dense.sub(Normal({kRows, kDim}, 1)).abs().max().item<double>(),
            0.05);
}

TEST(AdamTable, WithoutGradientsOnlyReads) {
  AdamTable table(Normal({4, 2}, 1), {});
  const at::NoGradGuard no_grad;
  const at::Tensor rows = at::tensor(std::vector<std::int64_t>{1, 3});
  EXPECT_FALSE(table.Fetch(rows).requires_grad());
  EXPECT_TRUE(table.Fetch(rows).equal(Normal({4, 2}, 1).index_select(0, rows)));
}

}  // namespace
}  // namespace hone
