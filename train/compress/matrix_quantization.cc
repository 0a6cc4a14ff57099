#include "train/compress/matrix_quantization.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr int kClipSteps = 29;
constexpr double kSmallestClip = 0.3;
constexpr int kClusterRounds = 30;
// Of a block of zeros, which odd levels cannot name: small beside weights, and
// not so small that a bias in its units would overflow.
constexpr double kZeroScale = 1e-6;

constexpr std::array<double, 16> kNf4{-1.0,
                                      -0.6961928009986877,
                                      -0.5250730514526367,
                                      -0.39491748809814453,
                                      -0.28444138169288635,
                                      -0.18477343022823334,
                                      -0.09105003625154495,
                                      0.0,
                                      0.07958029955625534,
                                      0.16093020141124725,
                                      0.24611230194568634,
                                      0.33791524171829224,
                                      0.44070982933044434,
                                      0.5626170039176941,
                                      0.7229568362236023,
                                      1.0};

std::vector<std::int8_t> BothSigns(const std::vector<int>& magnitudes) {
  std::vector<std::int8_t> table{0};
  for (const int magnitude : magnitudes) {
    table.push_back(static_cast<std::int8_t>(magnitude));
    table.push_back(static_cast<std::int8_t>(-magnitude));
  }
  std::sort(table.begin(), table.end());
  return table;
}

std::vector<std::int8_t> OddNumbers(std::int64_t bits) {
  std::vector<std::int8_t> table;
  const int highest = (1 << bits) - 1;
  for (int level = -highest; level <= highest; level += 2) {
    table.push_back(static_cast<std::int8_t>(level));
  }
  return table;
}

std::vector<std::int8_t> FixedTable(const Precision& precision,
                                    std::int64_t limit) {
  switch (precision.levels) {
    case Levels::kUniform:
      return precision.weight_bits < 4 ? OddNumbers(precision.weight_bits)
                                       : std::vector<std::int8_t>{};
    case Levels::kNf4: {
      std::vector<std::int8_t> table;
      for (const double level : kNf4) {
        table.push_back(static_cast<std::int8_t>(
            std::lround(level * static_cast<double>(limit))));
      }
      return table;
    }
    case Levels::kLog2:
      return BothSigns({1, 2, 4, 8, 16, 32, 64});
    case Levels::kApot:
      return BothSigns(limit < 120 ? std::vector{6, 12, 18, 24, 36, 48, 60}
                                   : std::vector{12, 24, 36, 48, 72, 96, 120});
    case Levels::kAsymmetric:
    case Levels::kKMeans:
      break;
  }
  return {};
}

double LargestMagnitude(std::span<const float> values) {
  double largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::abs(static_cast<double>(value)));
  }
  return largest;
}

double Clip(int step) {
  return kSmallestClip + (1 - kSmallestClip) * step / (kClipSteps - 1.0);
}

// How well the codes of one scale fit a block: the squared error after the
// least-squares scale is |w|^2 - <w,q>^2 / <q,q>.
struct BlockFit {
  double dot = 0;
  double norm = 0;
  double gain() const { return norm > 0 ? dot * dot / norm : 0; }
};

BlockFit FitBlock(std::span<const float> block, double scale,
                  const CodeLevels& levels) {
  BlockFit fit;
  for (const float value : block) {
    const double level = levels.Value(levels.Nearest(value / scale));
    fit.dot += level * value;
    fit.norm += level * level;
  }
  return fit;
}

// Writes the codes of one block and returns its scale.
float QuantizeBlock(std::span<const float> block, const CodeLevels& levels,
                    bool search, std::int16_t* codes) {
  const double largest = LargestMagnitude(block);
  const double reach = std::min(-levels.lowest(), levels.highest());
  auto scale = static_cast<float>(largest > 0 ? largest / reach : kZeroScale);
  BlockFit best = FitBlock(block, scale, levels);
  if (search && largest > 0) {
    const double far = std::max(-levels.lowest(), levels.highest());
    const bool symmetric = far == reach;
    for (int step = 0; step < kClipSteps; ++step) {
      for (const double sign : {1., -1.}) {
        if (symmetric && sign < 0) continue;
        const auto candidate = static_cast<float>(sign * largest * Clip(step) /
                                                  ((far + reach) / 2));
        const BlockFit fit = FitBlock(block, candidate, levels);
        if (fit.gain() > best.gain()) {
          best = fit;
          scale = candidate;
        }
      }
    }
  }
  for (std::size_t i = 0; i < block.size(); ++i) {
    codes[i] = levels.Nearest(block[i] / scale);
  }
  return search && largest > 0 && best.norm > 0
             ? static_cast<float>(best.dot / best.norm)
             : scale;
}

struct AsymmetricGrid {
  float scale = 1;
  std::int16_t zero = 0;
};

std::int16_t AsymmetricCode(float value, const AsymmetricGrid& grid,
                            double highest) {
  return static_cast<std::int16_t>(std::clamp(
      std::nearbyint(static_cast<double>(value) / grid.scale) + grid.zero, 0.,
      highest));
}

// The grid that holds a block's values and zero, its ends clipped.
AsymmetricGrid GridOf(double low, double high, double highest) {
  AsymmetricGrid grid;
  if (high == low) return grid;
  grid.scale = static_cast<float>((high - low) / highest);
  grid.zero = static_cast<std::int16_t>(
      std::clamp(std::nearbyint(-low / grid.scale), 0., highest));
  return grid;
}

AsymmetricGrid BestGrid(std::span<const float> block, double highest,
                        bool search) {
  const auto [least, most] = std::minmax_element(block.begin(), block.end());
  const double low = std::min<double>(*least, 0);
  const double high = std::max<double>(*most, 0);
  AsymmetricGrid best = GridOf(low, high, highest);
  if (!search || high == low) return best;
  double least_error = std::numeric_limits<double>::infinity();
  for (int step = kClipSteps - 1; step >= 0; --step) {
    const AsymmetricGrid grid =
        GridOf(low * Clip(step), high * Clip(step), highest);
    double error = 0;
    for (const float value : block) {
      const double rounded =
          (AsymmetricCode(value, grid, highest) - grid.zero) *
          static_cast<double>(grid.scale);
      error += (value - rounded) * (value - rounded);
    }
    if (error < least_error) {
      least_error = error;
      best = grid;
    }
  }
  return best;
}

// Lloyd's algorithm in one dimension, from the quantiles; over each block's
// values divided by its largest magnitude.
std::vector<std::int8_t> ClusterTable(const std::vector<float>& weights,
                                      std::int64_t block, std::int64_t bits,
                                      std::int64_t limit) {
  std::vector<double> values;
  for (std::size_t start = 0; start < weights.size();
       start += static_cast<std::size_t>(block)) {
    const std::span<const float> part(&weights[start],
                                      static_cast<std::size_t>(block));
    const double largest = LargestMagnitude(part);
    if (largest == 0) continue;
    for (const float value : part) values.push_back(value / largest);
  }
  const std::size_t count = std::size_t{1} << bits;
  if (values.empty()) values.assign(count, 0);
  std::sort(values.begin(), values.end());
  std::vector<double> sums(values.size() + 1, 0);
  std::partial_sum(values.begin(), values.end(), sums.begin() + 1);
  std::vector<double> means;
  for (std::size_t i = 0; i < count; ++i) {
    means.push_back(values[(2 * i + 1) * values.size() / (2 * count)]);
  }
  for (int round = 0; round < kClusterRounds; ++round) {
    std::size_t first = 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t last = values.size();
      if (i + 1 < count) {
        const double middle = (means[i] + means[i + 1]) / 2;
        last = static_cast<std::size_t>(
            std::upper_bound(values.begin(), values.end(), middle) -
            values.begin());
      }
      if (last > first) {
        means[i] =
            (sums[last] - sums[first]) / static_cast<double>(last - first);
      }
      first = std::max(first, last);
    }
    std::sort(means.begin(), means.end());
  }
  std::vector<std::int8_t> table;
  for (const double mean : means) {
    table.push_back(static_cast<std::int8_t>(
        std::lround(mean * static_cast<double>(limit))));
  }
  return table;
}

}  // namespace

CodeLevels::CodeLevels(const Precision& precision, std::int64_t limit,
                       std::vector<std::int8_t> table)
    : table_(table.empty() ? FixedTable(precision, limit) : std::move(table)) {
  if (!table_.empty()) {
    lowest_ = table_.front();
    highest_ = table_.back();
    return;
  }
  highest_ = static_cast<double>(precision.weight_bits == 8 ? limit : 7);
  lowest_ = precision.weight_bits == 8 ? -highest_ : -8;
}

std::int16_t CodeLevels::Nearest(double x) const {
  if (table_.empty()) {
    return static_cast<std::int16_t>(
        std::clamp(std::nearbyint(x), lowest_, highest_));
  }
  const auto above = std::lower_bound(table_.begin(), table_.end(), x);
  if (above == table_.begin()) return 0;
  const auto at = static_cast<std::int16_t>(above - table_.begin());
  if (above == table_.end()) return static_cast<std::int16_t>(at - 1);
  const bool lower = x - *(above - 1) <= *above - x;
  return static_cast<std::int16_t>(lower ? at - 1 : at);
}

MatrixOptions MatrixOptionsOf(const Precision& precision, bool reduce_range) {
  if (!reduce_range || !precision.int8_activations) return {};
  return {.limit = kReducedLimit};
}

QuantizedMatrix QuantizeMatrix(const std::vector<float>& weights,
                               std::int64_t rows, std::int64_t columns,
                               const Precision& precision,
                               const MatrixOptions& options) {
  HONE_CHECK_EQ(static_cast<std::int64_t>(weights.size()), rows * columns);
  HONE_CHECK(!precision.IsFloat());
  const std::int64_t block = precision.block == Precision::kTensor
                                 ? rows * columns
                                 : BlockFor(precision, columns);
  QuantizedMatrix result{rows, columns, block, {}, {}, {}, {}};
  result.codes.resize(weights.size());
  const bool search = !options.largest && precision.weight_bits < 8;
  const double highest =
      static_cast<double>((std::int64_t{1} << precision.weight_bits) - 1);
  std::vector<std::int8_t> table;
  if (precision.levels == Levels::kKMeans) {
    table = ClusterTable(weights, block, precision.weight_bits, options.limit);
  }
  const CodeLevels levels(precision, options.limit, std::move(table));
  for (std::size_t start = 0; start < weights.size();
       start += static_cast<std::size_t>(block)) {
    const std::span<const float> part(&weights[start],
                                      static_cast<std::size_t>(block));
    std::int16_t* codes = &result.codes[start];
    if (precision.levels == Levels::kAsymmetric) {
      const AsymmetricGrid grid = BestGrid(part, highest, search);
      result.scales.push_back(grid.scale);
      result.zeros.push_back(grid.zero);
      for (std::size_t i = 0; i < part.size(); ++i) {
        codes[i] = AsymmetricCode(part[i], grid, highest);
      }
    } else {
      result.scales.push_back(QuantizeBlock(part, levels, search, codes));
    }
  }
  result.levels = levels.table();
  return result;
}

std::vector<float> Dequantize(const QuantizedMatrix& matrix) {
  std::vector<float> values;
  values.reserve(matrix.codes.size());
  for (std::size_t i = 0; i < matrix.codes.size(); ++i) {
    const std::size_t block = i / static_cast<std::size_t>(matrix.block);
    const std::int16_t code = matrix.codes[i];
    const int level = matrix.levels.empty()
                          ? code
                          : matrix.levels[static_cast<std::size_t>(code)];
    const int zero = matrix.zeros.empty() ? 0 : matrix.zeros[block];
    values.push_back(static_cast<float>(level - zero) * matrix.scales[block]);
  }
  return values;
}

std::vector<std::int32_t> QuantizeBias(
    const std::vector<float>& bias, float input_scale,
    const std::vector<float>& weight_scales) {
  using Limits = std::numeric_limits<std::int32_t>;
  HONE_CHECK(weight_scales.size() == 1 || weight_scales.size() == bias.size());
  std::vector<std::int32_t> codes;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    const double scale = static_cast<double>(input_scale) *
                         weight_scales[weight_scales.size() == 1 ? 0 : i];
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
