#pragma once

#include <cstdint>
#include <vector>

namespace hone {

// Integer codes of a row-major [rows, columns] matrix and their scales:
// w[r,c] ~ codes[r,c] * scales[r, c / block].
struct QuantizedMatrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t block = 0;  // columns that share one scale
  std::vector<std::int8_t> codes;
  std::vector<float> scales;  // [rows, columns / block]
};

// Symmetric, one scale for each row: scale = max|w| / limit, codes within
// +-limit: 127, or 63 where u8 x s8 products would saturate.
QuantizedMatrix QuantizeRows(const std::vector<float>& weights,
                             std::int64_t rows, std::int64_t columns,
                             std::int64_t limit);

// Codes -8..7 with one positive scale for `block` columns of a row. Of 21
// candidate clips of the block's largest magnitude the one is taken whose
// codes, with their own least-squares scale <w,q>/<q,q>, leave the smallest
// squared error. Requires: block divides columns.
QuantizedMatrix QuantizeBlocks4(const std::vector<float>& weights,
                                std::int64_t rows, std::int64_t columns,
                                std::int64_t block);

// codes * scales, row major.
std::vector<float> Dequantize(const QuantizedMatrix& matrix);

// bias / (input_scale * weight_scale[o]), rounded half to even, within int32.
std::vector<std::int32_t> QuantizeBias(const std::vector<float>& bias,
                                       float input_scale,
                                       const std::vector<float>& weight_scales);

// Signal to quantization-noise ratio, 10 log10(sum x^2 / sum (x - y)^2).
// Units: dB; infinity when equal.
double Sqnr(const std::vector<float>& exact, const std::vector<float>& rounded);

}  // namespace hone
