#include "train/compress/calibrate.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "space/base/rng.h"

namespace hone {
namespace {

std::vector<float> Normals(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.Normal());
  return values;
}

double SquaredError(const std::vector<float>& values,
                    const ActivationQuantization& quantization) {
  double sum = 0;
  for (const float value : values) {
    const double error = value - FakeQuantize(value, quantization);
    sum += error * error;
  }
  return sum;
}

ValueRange RangeOf(const std::vector<float>& values) {
  ValueRange range;
  range.Add(values.data(), static_cast<std::int64_t>(values.size()));
  return range;
}

Histogram HistogramOf(const std::vector<float>& values) {
  Histogram histogram(RangeOf(values));
  histogram.Add(values.data(), static_cast<std::int64_t>(values.size()));
  return histogram;
}

TEST(ValueRange, AlwaysHoldsZero) {
  EXPECT_EQ(RangeOf({2, 3}), (ValueRange{0, 3}));
  EXPECT_EQ(RangeOf({-2, -3}), (ValueRange{-3, 0}));
}

TEST(ValueRange, DoesNotDependOnHowAStreamIsCut) {
  const std::vector<float> values = Normals(1000, 1);
  ValueRange cut;
  cut.Add(values.data(), 300);
  cut.Add(values.data() + 300, 700);
  EXPECT_EQ(cut, RangeOf(values));
}

TEST(QuantizationOf, CoversTheRangeWith256Codes) {
  const ActivationQuantization quantization = QuantizationOf({-1, 1.55});
  EXPECT_FLOAT_EQ(quantization.scale, 0.01F);
  EXPECT_EQ(quantization.zero_point, 100);
  EXPECT_EQ(FakeQuantize(0, quantization), 0);
  EXPECT_NEAR(FakeQuantize(-5, quantization), -1, 1e-6);
  EXPECT_NEAR(FakeQuantize(5, quantization), 1.55, 1e-6);
}

TEST(QuantizationOf, SymmetricReachesAsFarOnEitherSide) {
  for (const ValueRange& range :
       {ValueRange{-2.54, 1}, ValueRange{-1, 2.54}, ValueRange{0, 2.54}}) {
    const ActivationQuantization quantization = SymmetricQuantizationOf(range);
    EXPECT_EQ(quantization.zero_point, 128);
    EXPECT_FLOAT_EQ(quantization.scale, 0.02f);
    for (const double x : {-2.54, -1.0, 0.0, 2.54}) {
      EXPECT_NEAR(FakeQuantize(x, quantization), x, 0.0101);
    }
  }
  EXPECT_EQ(SymmetricQuantizationOf({0, 0}).scale, 1);
}

TEST(QuantizationOf, AStreamOfZerosIsExact) {
  EXPECT_EQ(FakeQuantize(0, QuantizationOf({0, 0})), 0);
  Histogram histogram(ValueRange{0, 0});
  const float zero = 0;
  histogram.Add(&zero, 1);
  EXPECT_EQ(histogram.LeastSquaresRange(), (ValueRange{0, 0}));
}

TEST(FakeQuantize, RoundsHalfToEven) {
  const ActivationQuantization unit{1, 0};
  EXPECT_EQ(FakeQuantize(0.5, unit), 0);
  EXPECT_EQ(FakeQuantize(1.5, unit), 2);
  EXPECT_EQ(FakeQuantize(2.5, unit), 2);
}

TEST(Histogram, EstimatesTheSquaredErrorOfTheStream) {
  const std::vector<float> values = Normals(100000, 2);
  const Histogram histogram = HistogramOf(values);
  for (const ValueRange& range : {ValueRange{-4, 4}, ValueRange{-2, 2}}) {
    const ActivationQuantization quantization = QuantizationOf(range);
    const double exact = SquaredError(values, quantization);
    EXPECT_NEAR(histogram.SquaredError(quantization), exact, 0.03 * exact);
  }
}

// Published: the clip of least squared error for 8 bits on N(0,1) is 3.94.
TEST(LeastSquaresRange, FindsTheKnownClipOfTheNormal) {
  const ValueRange range = HistogramOf(Normals(1000000, 3)).LeastSquaresRange();
  EXPECT_NEAR(range.high, 3.94, 0.25);
  EXPECT_NEAR(range.low, -3.94, 0.25);
}

TEST(LeastSquaresRange, IsAsGoodAsAGridOfAllPairs) {
  std::vector<float> values = Normals(20000, 4);
  for (float& value : values) value = value > 0 ? value * value : value / 8;
  const Histogram histogram = HistogramOf(values);
  double best = histogram.SquaredError(QuantizationOf(histogram.range()));
  for (int low = 1; low <= 40; ++low) {
    for (int high = 1; high <= 40; ++high) {
      best = std::min(best, histogram.SquaredError(QuantizationOf(
                                {histogram.range().low * low / 40,
                                 histogram.range().high * high / 40})));
    }
  }
  EXPECT_LE(
      histogram.SquaredError(QuantizationOf(histogram.LeastSquaresRange())),
      1.1 * best);
}

// Rounding costs n scale^2 / 12 and the clipped outlier (40 - high)^2; with
// scale = (high + 4) / 255 the sum is least at high = 15.3.
TEST(LeastSquaresRange, WeighsAnOutlierAgainstResolution) {
  std::vector<float> values = Normals(1000000, 5);
  values.push_back(40);
  const ValueRange range = HistogramOf(values).LeastSquaresRange();
  EXPECT_NEAR(range.high, 15.3, 2);
  EXPECT_LT(SquaredError(values, QuantizationOf(range)),
            0.6 * SquaredError(values, QuantizationOf(RangeOf(values))));
}

ValueRange EntropyRangeOf(const std::vector<float>& values) {
  MagnitudeHistogram histogram(RangeOf(values));
  histogram.Add(values.data(), static_cast<std::int64_t>(values.size()));
  return histogram.EntropyRange();
}

// Known answers of this definition (an independent program, 1e6 samples): 4.66
// on N(0,1), 4.63 with one outlier of 40, 11.9 on a Laplace distribution.
TEST(EntropyRange, FindsKnownClips) {
  std::vector<float> values = Normals(1000000, 6);
  EXPECT_NEAR(EntropyRangeOf(values).high, 4.66, 0.2);
  values.push_back(40);
  EXPECT_NEAR(EntropyRangeOf(values).high, 4.63, 0.2);
  Rng rng(7);
  for (float& value : values) {
    const double u = rng.Uniform() - 0.5;
    value =
        static_cast<float>((u < 0 ? 1 : -1) * std::log(1 - 2 * std::abs(u)));
  }
  EXPECT_NEAR(EntropyRangeOf(values).high, 11.9, 1);
}

// Half of the values are zero, as behind ReLU: one end stays zero.
TEST(EntropyRange, KeepsTheOneSideOfAStreamWithoutSign) {
  std::vector<float> values = Normals(100000, 8);
  for (float& value : values) value = std::max(value, 0.F);
  const ValueRange range = EntropyRangeOf(values);
  EXPECT_EQ(range.low, 0);
  EXPECT_GT(range.high, 3);
}

TEST(PercentileRange, FindsTheQuantilesOfTheNormal) {
  const Histogram histogram = HistogramOf(Normals(1000000, 9));
  EXPECT_NEAR(histogram.PercentileRange(95).high, 1.96, 0.02);
  EXPECT_NEAR(histogram.PercentileRange(95).low, -1.96, 0.02);
  EXPECT_NEAR(histogram.PercentileRange(99).high, 2.576, 0.03);
  EXPECT_EQ(histogram.PercentileRange(100).high, histogram.range().high);
}

TEST(MovingRange, MovesATenthOfTheWay) {
  MovingRange moving;
  const std::vector<float> first = {-1, 2};
  const std::vector<float> second = {-3, 12};
  moving.Add(first.data(), 2);
  EXPECT_EQ(moving.range(), (ValueRange{-1, 2}));
  moving.Add(second.data(), 2);
  EXPECT_NEAR(moving.range().low, -1.2, 1e-12);
  EXPECT_NEAR(moving.range().high, 3, 1e-12);
}

TEST(Calibrators, AConstantOrZeroStreamHasADefinedRange) {
  for (const float constant : {0.F, 3.F, -3.F}) {
    const std::vector<float> values(10, constant);
    const Histogram histogram = HistogramOf(values);
    for (const ValueRange& range :
         {histogram.LeastSquaresRange(), histogram.PercentileRange(99),
          EntropyRangeOf(values)}) {
      EXPECT_NEAR(FakeQuantize(constant, QuantizationOf(range)), constant,
                  0.01);
    }
  }
}

}  // namespace
}  // namespace hone
