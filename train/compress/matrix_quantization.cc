#include "train/compress/matrix_quantization.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr int kClipSteps = 20;
constexpr double kSmallestClip = 0.6;

double LargestMagnitude(const float* first, const float* last) {
  double largest = 0;
  for (; first != last; ++first) {
    largest = std::max(largest, std::abs(static_cast<double>(*first)));
  }
  return largest;
}

// Rounds half to even, as QuantizeLinear does.
std::int8_t Code(float value, float scale, double low, double high) {
  return static_cast<std::int8_t>(
      std::clamp<double>(std::nearbyint(value / scale), low, high));
}

// How well the codes of one scale fit a block: the squared error after the
// least-squares scale is |w|^2 - <w,q>^2 / <q,q>.
struct BlockFit {
  double dot = 0;
  double norm = 0;
  double gain() const { return norm > 0 ? dot * dot / norm : 0; }
};

BlockFit FitBlock(const float* block, std::int64_t size, float scale) {
  BlockFit fit;
  for (std::int64_t i = 0; i < size; ++i) {
    const double code = Code(block[i], scale, -8, 7);
    fit.dot += code * block[i];
    fit.norm += code * code;
  }
  return fit;
}

// Writes the codes of one block and returns its scale.
float QuantizeBlock(const float* block, std::int64_t size, std::int8_t* codes) {
  const double largest = LargestMagnitude(block, block + size);
  if (largest == 0) return 1;
  float best_scale = static_cast<float>(largest / 7);
  BlockFit best = FitBlock(block, size, best_scale);
  for (int step = 0; step < kClipSteps; ++step) {
    const double clip =
        kSmallestClip + (1 - kSmallestClip) * step / (kClipSteps - 1.0);
    const auto scale = static_cast<float>(largest * clip / 7.5);
    const BlockFit fit = FitBlock(block, size, scale);
    if (fit.gain() > best.gain()) {
      best = fit;
      best_scale = scale;
    }
  }
  for (std::int64_t i = 0; i < size; ++i) {
    codes[i] = Code(block[i], best_scale, -8, 7);
  }
  return static_cast<float>(best.dot / best.norm);
}

}  // namespace

QuantizedMatrix QuantizeRows(const std::vector<float>& weights,
                             std::int64_t rows, std::int64_t columns,
                             std::int64_t limit) {
  HONE_CHECK_EQ(static_cast<std::int64_t>(weights.size()), rows * columns);
  QuantizedMatrix result{rows, columns, columns, {}, {}};
  result.codes.reserve(weights.size());
  const auto bound = static_cast<double>(limit);
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* first = weights.data() + row * columns;
    const double largest = LargestMagnitude(first, first + columns);
    const float scale = largest > 0 ? static_cast<float>(largest / bound) : 1;
    result.scales.push_back(scale);
    for (std::int64_t i = 0; i < columns; ++i) {
      result.codes.push_back(Code(first[i], scale, -bound, bound));
    }
  }
  return result;
}

QuantizedMatrix QuantizeBlocks4(const std::vector<float>& weights,
                                std::int64_t rows, std::int64_t columns,
                                std::int64_t block) {
  HONE_CHECK_EQ(static_cast<std::int64_t>(weights.size()), rows * columns);
  HONE_CHECK_EQ(columns % block, 0);
  QuantizedMatrix result{rows, columns, block, {}, {}};
  result.codes.resize(weights.size());
  for (std::int64_t start = 0; start < rows * columns; start += block) {
    result.scales.push_back(QuantizeBlock(weights.data() + start, block,
                                          result.codes.data() + start));
  }
  return result;
}

std::vector<float> Dequantize(const QuantizedMatrix& matrix) {
  std::vector<float> values;
  values.reserve(matrix.codes.size());
  for (std::size_t i = 0; i < matrix.codes.size(); ++i) {
    values.push_back(static_cast<float>(matrix.codes[i]) *
                     matrix.scales[i / static_cast<std::size_t>(matrix.block)]);
  }
  return values;
}

std::vector<std::int32_t> QuantizeBias(
    const std::vector<float>& bias, float input_scale,
    const std::vector<float>& weight_scales) {
  HONE_CHECK_EQ(bias.size(), weight_scales.size());
  using Limits = std::numeric_limits<std::int32_t>;
  std::vector<std::int32_t> codes;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    const double scale = static_cast<double>(input_scale) * weight_scales[i];
    codes.push_back(static_cast<std::int32_t>(std::clamp<double>(
        std::nearbyint(bias[i] / scale), Limits::min(), Limits::max())));
  }
  return codes;
}

double Sqnr(const std::vector<float>& exact,
            const std::vector<float>& rounded) {
  HONE_CHECK_EQ(exact.size(), rounded.size());
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double error = static_cast<double>(exact[i]) - rounded[i];
    signal += static_cast<double>(exact[i]) * exact[i];
    noise += error * error;
  }
  return 10 * std::log10(signal / noise);
}

}  // namespace hone
