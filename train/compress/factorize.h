#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace hone {

// W ~ expand * reduce.
struct Factors {
  at::Tensor expand_OR;
  at::Tensor reduce_RI;
};

// The product of this rank with the least sum of squared differences from W:
// the truncated singular value decomposition (Eckart & Young 1936), its values
// shared evenly by both factors. Works in f64. Requires: 1 <= rank <= both
// sizes of W.
Factors FactorsOf(const at::Tensor& weight_OI, std::int64_t rank);

// The same with the least |(W - W') X|^2 over inputs with X X^T = `gram_II`:
// the decomposition of W C, C the Cholesky factor of the damped Gram matrix,
// and C taken off again (Wang et al. 2024, SVD-LLM, 3.1).
Factors WhitenedFactorsOf(const at::Tensor& weight_OI, std::int64_t rank,
                          const at::Tensor& gram_II);

// The same with each row's error weighted by the sum of its weights' Fisher
// information, `fisher_OI` (Hsu et al. 2022, FWSVD, eq. 6).
Factors FisherFactorsOf(const at::Tensor& weight_OI, std::int64_t rank,
                        const at::Tensor& fisher_OI);

}  // namespace hone
