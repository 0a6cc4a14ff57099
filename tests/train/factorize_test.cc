#include "train/compress/factorize.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/matmul.h>
#include <gtest/gtest.h>

#include "tests/train/eager_fixtures.h"

namespace hone {
namespace {

at::Tensor Product(const Factors& factors) {
  return factors.expand_OR.matmul(factors.reduce_RI).to(at::kDouble);
}

double Squares(const at::Tensor& x) { return x.square().sum().item<double>(); }

// The least squared error of any matrix of this rank (Eckart & Young 1936).
double Tail(const at::Tensor& matrix, std::int64_t rank) {
  const auto [u, values, v] = at::linalg_svd(matrix, false);
  return Squares(values.narrow(0, rank, values.size(0) - rank));
}

TEST(Factors, HaveTheLeastErrorOfTheirRank) {
  const at::Tensor weight = RandomTensor({24, 40}, 1, at::kDouble);
  for (const std::int64_t rank : {1, 7, 23, 24}) {
    const Factors factors = FactorsOf(weight, rank);
    EXPECT_EQ(factors.expand_OR.size(1), rank);
    EXPECT_EQ(factors.reduce_RI.size(0), rank);
    EXPECT_NEAR(Squares(Product(factors).sub(weight)), Tail(weight, rank),
                1e-4);
  }
}

TEST(Factors, WhitenedHaveTheLeastErrorOfOutputs) {
  const at::Tensor weight = RandomTensor({24, 40}, 1, at::kDouble);
  const at::Tensor x = RandomTensor({300, 40}, 2, at::kDouble)
                           .matmul(RandomTensor({40, 40}, 3, at::kDouble));
  const at::Tensor gram = x.t().matmul(x);
  const auto outputs = [&](const Factors& factors) {
    return Squares(x.matmul(Product(factors).sub(weight).t()));
  };
  for (const std::int64_t rank : {1, 7, 20}) {
    const double least = Tail(weight.matmul(at::linalg_cholesky(gram)), rank);
    const double found = outputs(WhitenedFactorsOf(weight, rank, gram));
    EXPECT_NEAR(found, least, 1e-3 * least);
    EXPECT_GT(outputs(FactorsOf(weight, rank)), 1.01 * found);
  }
}

// Inputs that are never seen leave the Gram matrix singular.
TEST(Factors, WhitenedAcceptInputsThatAreAlwaysZero) {
  const at::Tensor weight = RandomTensor({8, 12}, 1, at::kDouble);
  at::Tensor gram = at::eye(12, at::kDouble);
  gram[3][3].fill_(0);
  const at::Tensor product = Product(WhitenedFactorsOf(weight, 8, gram));
  const at::Tensor difference = product.sub(weight);
  EXPECT_LT(Squares(difference.narrow(1, 4, 8)), 1e-6);
  EXPECT_LT(Squares(product), 1e3);
}

TEST(Factors, FisherHaveTheLeastWeightedError) {
  const at::Tensor weight = RandomTensor({24, 40}, 1, at::kDouble);
  const at::Tensor fisher =
      RandomTensor({24, 40}, 2, at::kDouble)
          .square()
          .mul(RandomTensor({24, 1}, 3, at::kDouble).square().add(0.1));
  const at::Tensor rows = fisher.sum(1, true).sqrt();
  const auto weighted = [&](const Factors& factors) {
    return Squares(Product(factors).sub(weight).mul(rows));
  };
  const double least = Tail(weight.mul(rows), 9);
  EXPECT_NEAR(weighted(FisherFactorsOf(weight, 9, fisher)), least,
              1e-3 * least);
  EXPECT_GT(weighted(FactorsOf(weight, 9)), 1.02 * least);
}

}  // namespace
}  // namespace hone
