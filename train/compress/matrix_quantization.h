#pragma once

#include <cstdint>
#include <vector>

#include "space/precision.h"

namespace hone {

// The limit of levels with which pairs of u8 x s8 products fit 16 bits, in
// which CPUs without VNNI add them. That of 8 bits alone is 127.
inline constexpr std::int64_t kReducedLimit = 63;

// What the codes of a precision stand for, in units of the scale.
//   8 bits        -limit..limit
//   4 bits        -8..7
//   3, 2 bits     the odd numbers -7..7, -3..3: symmetric and without a zero
//   asymmetric    code - zero point, codes 0..2^bits - 1
//   nf4           limit times the quantiles of N(0,1) of Dettmers et al. 2023
//                 (QLoRA, appendix E), rounded
//   kmeans        limit times the cluster means, rounded
//   log2          0 and +-1, 2, 4, ..., 64
//   apot          sums of {0, 8, 4, 1} and {0, 2}, both signs, times 12, or 6
//                 within a smaller limit (Li et al. 2020, eq. 3, as in the
//                 authors' code for 3 bits and a sign)
// All levels fit 8 bits, so that integer kernels can multiply them.
class CodeLevels {
 public:
  // kmeans: `table` holds the levels.
  explicit CodeLevels(const Precision& precision, std::int64_t limit = 127,
                      std::vector<std::int8_t> table = {});

  // The code whose level is nearest to x, in units of the scale.
  std::int16_t Nearest(double x) const;
  double Value(std::int16_t code) const {
    return table_.empty() ? code : table_[static_cast<std::size_t>(code)];
  }
  double lowest() const { return lowest_; }
  double highest() const { return highest_; }
  // Empty where codes are numbers themselves.
  const std::vector<std::int8_t>& table() const { return table_; }

 private:
  double lowest_ = 0;
  double highest_ = 0;
  std::vector<std::int8_t> table_;  // ascending
};

// Codes of a row-major [rows, columns] matrix; `block` values in a row of the
// flat matrix share one scale: w[i] ~ (level of codes[i] - zero) * scale.
struct QuantizedMatrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t block = 0;
  std::vector<std::int16_t> codes;
  std::vector<float> scales;
  std::vector<std::int16_t> zeros;  // asymmetric: one for each scale
  std::vector<std::int8_t> levels;  // CodeLevels::table
};

struct MatrixOptions {
  std::int64_t limit = 127;  // of CodeLevels
  // The scale that just holds a block's largest magnitude, instead of the one
  // with the least squared error.
  bool largest = false;
};

// As quantization.reduce_range asks: within kReducedLimit where 8-bit
// activations are multiplied. In f32 nothing saturates.
MatrixOptions MatrixOptionsOf(const Precision& precision, bool reduce_range);

// Rounds to nearest. Scales: 8 bits, the largest magnitude over the limit;
// fewer bits, of 30 clips of the block's extremes (and both signs where levels
// are not symmetric) the one whose codes, with their own least-squares scale
// <w,q>/<q,q>, leave the smallest squared error. A block of zeros has a small
// scale. Requires: finite weights.
QuantizedMatrix QuantizeMatrix(const std::vector<float>& weights,
                               std::int64_t rows, std::int64_t columns,
                               const Precision& precision,
                               const MatrixOptions& options = {});

// What the codes stand for, row major.
std::vector<float> Dequantize(const QuantizedMatrix& matrix);

// bias / (input_scale * weight_scale[o]), rounded half to even, within int32.
// One weight scale serves all outputs, or each has its own.
std::vector<std::int32_t> QuantizeBias(const std::vector<float>& bias,
                                       float input_scale,
                                       const std::vector<float>& weight_scales);

// Signal to quantization-noise ratio, 10 log10(sum x^2 / sum (x - y)^2).
// Units: dB; infinity when equal.
double Sqnr(const std::vector<float>& exact, const std::vector<float>& rounded);

}  // namespace hone
