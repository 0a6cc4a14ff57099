#pragma once

#include <cstdint>
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

ActivationQuantization QuantizationOf(const ValueRange& range);
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

 private:
  double Centre(std::int64_t bin) const;

  ValueRange range_;
  double width_;
  std::vector<std::int64_t> counts_;
};

}  // namespace hone
