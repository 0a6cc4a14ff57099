#include "train/compress/gptq.h"

#include <algorithm>
#include <cmath>

#include <ATen/ops/cholesky_inverse.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_cholesky.h>

#include "space/base/error.h"

namespace hone {
namespace {

// The upper Cholesky factor of the inverse of the damped Hessian.
at::Tensor InverseFactor(const at::Tensor& hessian, double damping) {
  at::Tensor damped = hessian.to(at::kDouble).clone();
  if (!at::isfinite(damped).all().item<bool>()) {
    throw Error(ErrorCode::kUsage,
                "cannot quantize: the products of a layer's inputs are not "
                "finite; the training that made these weights diverged");
  }
  at::Tensor diagonal = damped.diagonal();
  const double mean = diagonal.mean().item<double>();
  diagonal.masked_fill_(diagonal.eq(0), 1);
  diagonal.add_(damping * (mean > 0 ? mean : 1));
  const at::Tensor inverse = at::cholesky_inverse(at::linalg_cholesky(damped));
  return at::linalg_cholesky(inverse, /*upper=*/true).contiguous();
}

}  // namespace

QuantizedMatrix QuantizeByGptq(const std::vector<float>& weights,
                               std::int64_t rows, std::int64_t columns,
                               const Precision& precision,
                               const at::Tensor& hessian, double damping,
                               const MatrixOptions& options) {
  // Scales of whole rows or matrices, and all codes' first guess.
  QuantizedMatrix result =
      QuantizeMatrix(weights, rows, columns, precision, options);
  const CodeLevels levels(precision, options.limit, result.levels);
  const at::Tensor factor = InverseFactor(hessian, damping);
  const auto* u = factor.const_data_ptr<double>();
  const bool in_blocks = precision.block > 0;
  const std::int64_t block = in_blocks ? result.block : columns;
  Precision one_block = precision;
  one_block.block = Precision::kRow;
  const double highest =
      static_cast<double>((std::int64_t{1} << precision.weight_bits) - 1);
  std::vector<double> row(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    std::copy_n(weights.begin() + r * columns, columns, row.begin());
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto at = static_cast<std::size_t>(r * columns + c);
      const std::size_t scale_at = at / static_cast<std::size_t>(result.block);
      if (in_blocks && c % block == 0) {
        const QuantizedMatrix part =
            QuantizeMatrix({row.begin() + c, row.begin() + c + block}, 1, block,
                           one_block, options);
        if (precision.levels != Levels::kKMeans) {
          result.scales[scale_at] = part.scales[0];
          if (!part.zeros.empty()) result.zeros[scale_at] = part.zeros[0];
        }
      }
      const double scale = result.scales[scale_at];
      const int zero = result.zeros.empty() ? 0 : result.zeros[scale_at];
      const double target = row[static_cast<std::size_t>(c)] / scale;
      const auto code = precision.levels == Levels::kAsymmetric
                            ? static_cast<std::int16_t>(std::clamp(
                                  std::nearbyint(target) + zero, 0., highest))
                            : levels.Nearest(target);
      result.codes[at] = code;
      const double rounded =
          (precision.levels == Levels::kAsymmetric ? code - zero
                                                   : levels.Value(code)) *
          scale;
      const double error =
          (row[static_cast<std::size_t>(c)] - rounded) / u[c * columns + c];
      for (std::int64_t k = c + 1; k < columns; ++k) {
        row[static_cast<std::size_t>(k)] -= error * u[c * columns + k];
      }
    }
  }
  return result;
}

}  // namespace hone
