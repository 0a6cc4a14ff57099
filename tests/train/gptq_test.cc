#include "train/compress/gptq.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"

namespace hone {
namespace {

constexpr std::int64_t kRows = 24;
constexpr std::int64_t kColumns = 64;

std::vector<float> Values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {flat.const_data_ptr<float>(),
          flat.const_data_ptr<float>() + flat.numel()};
}

// Inputs whose columns depend on each other.
at::Tensor CorrelatedInputs() {
  const at::Tensor mixing = RandomTensor({kColumns, kColumns}, 2, at::kFloat)
                                .mul(0.6)
                                .add(at::eye(kColumns));
  return RandomTensor({400, kColumns}, 1, at::kFloat).matmul(mixing);
}

double OutputError(const at::Tensor& x, const std::vector<float>& exact,
                   const QuantizedMatrix& matrix) {
  const at::Tensor difference = at::tensor(Dequantize(matrix))
                                    .sub(at::tensor(exact))
                                    .view({kRows, kColumns});
  return x.matmul(difference.t()).square().sum().item<double>();
}

TEST(Gptq, LeavesLessOutputErrorThanRoundingToNearest) {
  const at::Tensor x = CorrelatedInputs();
  const at::Tensor hessian = x.t().matmul(x).to(at::kDouble);
  const std::vector<float> weights =
      Values(RandomTensor({kRows, kColumns}, 3, at::kFloat));
  for (const Precision& precision : EveryPrecision()) {
    if (precision.IsFloat()) continue;
    const double nearest = OutputError(
        x, weights, QuantizeMatrix(weights, kRows, kColumns, precision));
    const double gptq = OutputError(
        x, weights,
        QuantizeByGptq(weights, kRows, kColumns, precision, hessian));
    EXPECT_LT(gptq, 0.9 * nearest) << Name(precision);
  }
}

// Inputs that do not depend on each other leave nothing to make good.
TEST(Gptq, IsRoundingToNearestForUncorrelatedInputs) {
  const at::Tensor hessian = at::eye(kColumns, at::kDouble);
  const std::vector<float> weights =
      Values(RandomTensor({kRows, kColumns}, 4, at::kFloat));
  for (const Precision& precision : EveryPrecision()) {
    if (precision.IsFloat()) continue;
    const QuantizedMatrix gptq =
        QuantizeByGptq(weights, kRows, kColumns, precision, hessian);
    const QuantizedMatrix nearest =
        QuantizeMatrix(weights, kRows, kColumns, precision);
    EXPECT_EQ(gptq.scales, nearest.scales) << Name(precision);
    EXPECT_EQ(gptq.levels, nearest.levels) << Name(precision);
    // A least-squares scale may move a weight over the edge of a level.
    const std::vector<float> a = Dequantize(gptq);
    const std::vector<float> b = Dequantize(nearest);
    EXPECT_GT(Sqnr(weights, a), Sqnr(weights, b) - 0.05) << Name(precision);
  }
}

TEST(Gptq, AcceptsInputsThatAreAlwaysZero) {
  at::Tensor x = CorrelatedInputs();
  x.narrow(1, 5, 3).zero_();
  const std::vector<float> weights =
      Values(RandomTensor({kRows, kColumns}, 5, at::kFloat));
  const QuantizedMatrix matrix =
      QuantizeByGptq(weights, kRows, kColumns, Precision::kW4,
                     x.t().matmul(x).to(at::kDouble));
  EXPECT_GT(Sqnr(weights, Dequantize(matrix)), 15);
}

TEST(Gptq, RefusesInputsThatAreNotFinite) {
  at::Tensor hessian = at::eye(4, at::kDouble);
  hessian[1][2].fill_(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THROW(
      QuantizeByGptq(std::vector<float>(8, 1), 2, 4, Precision::kW8A8, hessian),
      Error);
}

}  // namespace
}  // namespace hone
