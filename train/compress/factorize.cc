#include "train/compress/factorize.h"

#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/linalg_solve_triangular.h>
#include <ATen/ops/linalg_svd.h>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr double kDamping = 1e-6;

Factors InDoubles(const at::Tensor& weight_OI, std::int64_t rank) {
  HONE_CHECK_LE(1, rank);
  HONE_CHECK_LE(rank, weight_OI.size(0));
  HONE_CHECK_LE(rank, weight_OI.size(1));
  const auto [u, values, v] = at::linalg_svd(weight_OI, false);
  const at::Tensor roots = values.narrow(0, 0, rank).sqrt();
  return {u.narrow(1, 0, rank).mul(roots),
          v.narrow(0, 0, rank).mul(roots.unsqueeze(1))};
}

Factors AsFloats(const Factors& factors) {
  return {factors.expand_OR.to(at::kFloat).contiguous(),
          factors.reduce_RI.to(at::kFloat).contiguous()};
}

}  // namespace

Factors FactorsOf(const at::Tensor& weight_OI, std::int64_t rank) {
  return AsFloats(InDoubles(weight_OI.to(at::kDouble), rank));
}

Factors WhitenedFactorsOf(const at::Tensor& weight_OI, std::int64_t rank,
                          const at::Tensor& gram_II) {
  at::Tensor damped = gram_II.to(at::kDouble).clone();
  const double mean = damped.diagonal().mean().item<double>();
  damped.diagonal().add_(kDamping * (mean > 0 ? mean : 1));
  const at::Tensor root_II = at::linalg_cholesky(damped);
  Factors factors = InDoubles(weight_OI.to(at::kDouble).matmul(root_II), rank);
  factors.reduce_RI = at::linalg_solve_triangular(
      root_II, factors.reduce_RI, /*upper=*/false, /*left=*/false);
  return AsFloats(factors);
}

Factors FisherFactorsOf(const at::Tensor& weight_OI, std::int64_t rank,
                        const at::Tensor& fisher_OI) {
  at::Tensor rows_O1 = fisher_OI.to(at::kDouble).sum(1, true);
  const double mean = rows_O1.mean().item<double>();
  rows_O1 = rows_O1.add(kDamping * (mean > 0 ? mean : 1)).sqrt();
  Factors factors = InDoubles(weight_OI.to(at::kDouble).mul(rows_O1), rank);
  factors.expand_OR = factors.expand_OR.div(rows_O1);
  return AsFloats(factors);
}

}  // namespace hone
