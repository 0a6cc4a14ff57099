#include "train/compress/calibrate.h"

#include <algorithm>
#include <cmath>

namespace hone {
namespace {

constexpr double kCodes = 255;
constexpr int kRatios = 40;
constexpr int kMaxRounds = 4;

}  // namespace

void ValueRange::Add(const float* values, std::int64_t count) {
  float smallest = static_cast<float>(low);
  float largest = static_cast<float>(high);
  for (std::int64_t i = 0; i < count; ++i) {
    smallest = std::min(smallest, values[i]);
    largest = std::max(largest, values[i]);
  }
  low = smallest;
  high = largest;
}

ActivationQuantization QuantizationOf(const ValueRange& range) {
  const auto scale = static_cast<float>((range.high - range.low) / kCodes);
  if (!(scale > 0)) return {};
  const double zero =
      std::clamp(std::nearbyint(-range.low / scale), 0., kCodes);
  return {scale, static_cast<std::int64_t>(zero)};
}

double FakeQuantize(double x, const ActivationQuantization& quantization) {
  const auto zero = static_cast<double>(quantization.zero_point);
  const double code =
      std::clamp(std::nearbyint(x / quantization.scale) + zero, 0., kCodes);
  return (code - zero) * quantization.scale;
}

Histogram::Histogram(const ValueRange& range)
    : range_(range), width_((range.high - range.low) / kBins), counts_(kBins) {}

void Histogram::Add(const float* values, std::int64_t count) {
  if (width_ == 0) {
    counts_[0] += count;
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bin =
        static_cast<std::int64_t>((values[i] - range_.low) / width_);
    ++counts_[std::clamp<std::int64_t>(bin, 0, kBins - 1)];
  }
}

double Histogram::Centre(std::int64_t bin) const {
  return range_.low + (static_cast<double>(bin) + 0.5) * width_;
}

double Histogram::SquaredError(
    const ActivationQuantization& quantization) const {
  double sum = 0;
  for (std::int64_t bin = 0; bin < kBins; ++bin) {
    if (counts_[bin] == 0) continue;
    const double error = Centre(bin) - FakeQuantize(Centre(bin), quantization);
    sum += static_cast<double>(counts_[bin]) * error * error;
  }
  return sum;
}

ValueRange Histogram::LeastSquaresRange() const {
  ValueRange best = range_;
  double best_error = SquaredError(QuantizationOf(best));
  const auto try_range = [&](const ValueRange& range) {
    const double error = SquaredError(QuantizationOf(range));
    if (error >= best_error) return;
    best_error = error;
    best = range;
  };
  for (int round = 0; round < kMaxRounds; ++round) {
    const ValueRange before = best;
    for (int i = 1; i <= kRatios; ++i) {
      const double ratio = static_cast<double>(i) / kRatios;
      try_range({range_.low * ratio, best.high});
      try_range({best.low, range_.high * ratio});
      if (round == 0) try_range({range_.low * ratio, range_.high * ratio});
    }
    if (best == before) break;
  }
  return best;
}

}  // namespace hone
