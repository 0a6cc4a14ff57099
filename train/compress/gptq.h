#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "train/compress/matrix_quantization.h"

namespace hone {

inline constexpr double kGptqDamping = 0.01;

// Rounds a matrix [rows, columns] column by column, and lets the columns that
// are still to come make good what each rounding changed in the layer's output
// (Frantar et al. 2023, GPTQ, algorithm 1): with H = X^T X of the inputs and U
// the upper Cholesky factor of H^-1, column j is rounded and the later ones get
//   W[:,k] -= (W[:,j] - round(W[:,j])) / U[j,j] * U[j,k]
// A block's scale is chosen when its first column is reached, from what its
// weights have become. `damping` times the mean diagonal of H is added to it.
// Columns whose inputs are all zero are rounded to nearest.
// Shapes: hessian f64 [columns, columns]. Levels of kmeans come from the
// weights before. Throws Error{kUsage} where the Hessian is not finite.
QuantizedMatrix QuantizeByGptq(const std::vector<float>& weights,
                               std::int64_t rows, std::int64_t columns,
                               const Precision& precision,
                               const at::Tensor& hessian,
                               double damping = kGptqDamping,
                               const MatrixOptions& options = {});

}  // namespace hone
