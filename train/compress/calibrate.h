#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hone {

// Asymmetric u8 with 0 exactly representable:
//   code = clamp(round_half_even(x / scale) + zero_point, 0, 255),
//   x ~ (code - zero_point) * scale.
struct ActivationQuantization {
  float scale = 1;
  std::int64_t zero_point = 0;
  bool operator==(const ActivationQuantization&) const = default;
};

// The smallest and largest value of a stream.
struct ValueRange {
  double low = 0;   // never above 0, so that 0 is representable
  double high = 0;  // never below 0
  void Add(const float* values, std::int64_t count);
  bool operator==(const ValueRange&) const = default;
};

// The mean of the ranges of the pieces that a stream comes in, late ones
// counting more: range <- range + kShare (piece - range). One outlier then
// counts little. PyTorch's MovingAverageMinMaxObserver, whose share of 0.01 is
// meant for thousands of pieces, not for the dozen of a calibration.
class MovingRange {
 public:
  static constexpr double kShare = 0.1;
  void Add(const float* values, std::int64_t count);
  const ValueRange& range() const { return range_; }

 private:
  bool empty_ = true;
  ValueRange range_;
};

ActivationQuantization QuantizationOf(const ValueRange& range);
// With zero point 128, as far on either side as the wider end: what an engine
// reads as s8 around zero. Code 0, -128 there, is left to what lies outside.
ActivationQuantization SymmetricQuantizationOf(const ValueRange& range);
// The value that x is rounded to.
double FakeQuantize(double x, const ActivationQuantization& quantization);

// How often a stream fell into each of 2048 equal bins of a known range: a
// bounded summary, however long the stream. A second pass fills it, after the
// first has found the range.
class Histogram {
 public:
  static constexpr std::int64_t kBins = 2048;

  explicit Histogram(const ValueRange& range);
  // Requires: the values lie in the range.
  void Add(const float* values, std::int64_t count);

  const ValueRange& range() const { return range_; }
  // Sum over bins of count * (centre - FakeQuantize(centre))^2.
  double SquaredError(const ActivationQuantization& quantization) const;
  // The range with the smallest squared error, found by scaling either end in
  // turn over 40 ratios until neither moves: never worse than the full range.
  ValueRange LeastSquaresRange() const;
  // The range that leaves out (100 - percent) / 2 percent of the values at
  // either end, or all of them at the one end of a stream without sign.
  // Requires: 0 < percent <= 100.
  ValueRange PercentileRange(double percent) const;

 private:
  double Centre(std::int64_t bin) const;
  // The edge below which a share of all values lies.
  double Quantile(double share) const;

  ValueRange range_;
  double width_;
  std::vector<std::int64_t> counts_;
};

// The same of the values' magnitudes, for the choice of a clip by relative
// entropy: of all clips the one is taken at which the clipped stream differs
// least from what it becomes when rounded to `levels` levels, by the
// Kullback-Leibler divergence of their histograms (Migacz, "8-bit inference
// with TensorRT", 2017). The first bin counts as the second, since most values
// of a sparse stream are zero.
class MagnitudeHistogram {
 public:
  static constexpr std::int64_t kBins = 2048;

  explicit MagnitudeHistogram(const ValueRange& range);
  // Requires: the values lie in the range.
  void Add(const float* values, std::int64_t count);
  // Clips the range that the histogram was made for: 128 levels where values
  // have both signs, 256 where they have one.
  ValueRange EntropyRange() const;

 private:
  double Divergence(const std::vector<double>& counts, std::int64_t kept,
                    std::int64_t levels) const;

  ValueRange range_;
  double width_;
  std::vector<std::int64_t> counts_;
};

// How the range of a stream is chosen.
enum class Calibrator { kMinMax, kMovingAverage, kPercentile, kMse, kEntropy };

// "min-max", "moving-average", "percentile", "mse", "entropy", in that order.
const std::vector<std::string>& CalibratorNames();

// What every calibrator needs to know of a stream, gathered in two passes: the
// first finds its range, the second, over the same values, fills histograms.
class StreamStatistics {
 public:
  void AddToRange(const float* values, std::int64_t count);
  void StartHistograms();
  void AddToHistograms(const float* values, std::int64_t count);
  // Requires: both passes are over.
  ValueRange RangeBy(Calibrator calibrator, double percentile) const;

 private:
  ValueRange range_;
  MovingRange moving_;
  std::optional<Histogram> histogram_;
  std::optional<MagnitudeHistogram> magnitudes_;
};

}  // namespace hone
