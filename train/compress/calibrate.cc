#include "train/compress/calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr double kCodes = 255;
constexpr std::int64_t kSymmetricZero = 128;
constexpr int kRatios = 40;
constexpr int kMaxRounds = 4;
// Codes on either side of zero, and of a stream with one sign.
constexpr std::int64_t kSignedLevels = 128;
constexpr std::int64_t kUnsignedLevels = 256;

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

void MovingRange::Add(const float* values, std::int64_t count) {
  ValueRange piece;
  piece.Add(values, count);
  const double share = empty_ ? 1 : kShare;
  range_.low += share * (piece.low - range_.low);
  range_.high += share * (piece.high - range_.high);
  empty_ = false;
}

ActivationQuantization QuantizationOf(const ValueRange& range) {
  const auto scale = static_cast<float>((range.high - range.low) / kCodes);
  if (!(scale > 0)) return {};
  const double zero =
      std::clamp(std::nearbyint(-range.low / scale), 0., kCodes);
  return {scale, static_cast<std::int64_t>(zero)};
}

ActivationQuantization SymmetricQuantizationOf(const ValueRange& range) {
  const auto scale =
      static_cast<float>(std::max(-range.low, range.high) /
                         static_cast<double>(kSymmetricZero - 1));
  return {scale > 0 ? scale : 1, kSymmetricZero};
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

double Histogram::Quantile(double share) const {
  const auto total = static_cast<double>(
      std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}));
  double below = 0;
  for (std::int64_t bin = 0; bin < kBins; ++bin) {
    below += static_cast<double>(counts_[static_cast<std::size_t>(bin)]);
    if (below >= share * total) {
      return range_.low + static_cast<double>(bin + 1) * width_;
    }
  }
  return range_.high;
}

ValueRange Histogram::PercentileRange(double percent) const {
  const double left_out = 1 - percent / 100;
  const bool both = range_.low < 0 && range_.high > 0;
  const double end = both ? left_out / 2 : left_out;
  ValueRange range;
  if (range_.low < 0) range.low = std::min(Quantile(end) - width_, 0.);
  if (range_.high > 0) range.high = std::max(Quantile(1 - end), 0.);
  return range;
}

MagnitudeHistogram::MagnitudeHistogram(const ValueRange& range)
    : range_(range),
      width_(std::max(-range.low, range.high) / kBins),
      counts_(kBins) {}

void MagnitudeHistogram::Add(const float* values, std::int64_t count) {
  if (width_ == 0) return;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bin = static_cast<std::int64_t>(
        std::abs(static_cast<double>(values[i])) / width_);
    ++counts_[static_cast<std::size_t>(std::min(bin, kBins - 1))];
  }
}

double MagnitudeHistogram::Divergence(const std::vector<double>& counts,
                                      std::int64_t kept,
                                      std::int64_t levels) const {
  const auto end = counts.begin() + kept;
  const double clipped = std::accumulate(end, counts.end(), 0.);
  const double inside = std::accumulate(counts.begin(), end, 0.);
  if (inside == 0) return std::numeric_limits<double>::infinity();
  double divergence = 0;
  std::int64_t first = 0;
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::int64_t last = kept * (level + 1) / levels;
    double sum = 0;
    double filled = 0;
    for (std::int64_t bin = first; bin < last; ++bin) {
      sum += counts[static_cast<std::size_t>(bin)];
      filled += counts[static_cast<std::size_t>(bin)] > 0 ? 1 : 0;
    }
    for (std::int64_t bin = first; bin < last; ++bin) {
      double exact = counts[static_cast<std::size_t>(bin)];
      const double rounded = exact > 0 ? sum / filled : 0;
      if (bin == kept - 1) exact += clipped;
      if (exact == 0) continue;
      // What has a value and becomes none is infinitely far.
      if (rounded == 0) return std::numeric_limits<double>::infinity();
      const double p = exact / (inside + clipped);
      divergence += p * std::log(p / (rounded / inside));
    }
    first = last;
  }
  return divergence;
}

ValueRange MagnitudeHistogram::EntropyRange() const {
  const bool both = range_.low < 0 && range_.high > 0;
  const std::int64_t levels = both ? kSignedLevels : kUnsignedLevels;
  std::vector<double> counts(counts_.begin(), counts_.end());
  counts[0] = counts[1];
  std::int64_t best = kBins;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t kept = levels; kept <= kBins; ++kept) {
    const double divergence = Divergence(counts, kept, levels);
    if (divergence <= least) {
      least = divergence;
      best = kept;
    }
  }
  const double clip = static_cast<double>(best) * width_;
  return {std::max(range_.low, -clip), std::min(range_.high, clip)};
}

const std::vector<std::string>& CalibratorNames() {
  static const std::vector<std::string> names{"min-max", "moving-average",
                                              "percentile", "mse", "entropy"};
  return names;
}

void StreamStatistics::AddToRange(const float* values, std::int64_t count) {
  range_.Add(values, count);
  moving_.Add(values, count);
}

void StreamStatistics::StartHistograms() {
  histogram_.emplace(range_);
  magnitudes_.emplace(range_);
}

void StreamStatistics::AddToHistograms(const float* values,
                                       std::int64_t count) {
  histogram_->Add(values, count);
  magnitudes_->Add(values, count);
}

ValueRange StreamStatistics::RangeBy(Calibrator calibrator,
                                     double percentile) const {
  switch (calibrator) {
    case Calibrator::kMinMax:
      return range_;
    case Calibrator::kMovingAverage:
      return moving_.range();
    case Calibrator::kPercentile:
      return histogram_->PercentileRange(percentile);
    case Calibrator::kMse:
      return histogram_->LeastSquaresRange();
    case Calibrator::kEntropy:
      return magnitudes_->EntropyRange();
  }
  ThrowCheckFailure(__FILE__, __LINE__, "no such calibrator");
}

}  // namespace hone
