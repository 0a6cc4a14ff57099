#include "train/compress/matrix_quantization.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "space/base/rng.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

constexpr std::int64_t kRows = 64;
constexpr std::int64_t kColumns = 768;

std::vector<float> NormalMatrix(std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(kRows * kColumns);
  for (float& value : values) value = static_cast<float>(rng.Normal());
  return values;
}

// Student's t with five degrees of freedom: heavy tails.
std::vector<float> StudentMatrix(std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(kRows * kColumns);
  for (float& value : values) {
    double squares = 0;
    for (int i = 0; i < 5; ++i) squares += std::pow(rng.Normal(), 2);
    value = static_cast<float>(rng.Normal() / std::sqrt(squares / 5));
  }
  return values;
}

QuantizedMatrix Rows(const std::vector<float>& weights, std::int64_t rows,
                     std::int64_t columns, std::int64_t limit = 127) {
  return QuantizeMatrix(weights, rows, columns, Precision::kW8A8,
                        {.limit = limit});
}

double SqnrOf(const std::vector<float>& weights, const char* word,
              bool largest) {
  return Sqnr(weights, Dequantize(QuantizeMatrix(weights, kRows, kColumns,
                                                 ParsePrecision(word),
                                                 {.largest = largest})));
}

// Decibels that an independent program found for 64 x 768 weights.
struct KnownAnswer {
  const char* word;
  double normal;
  double student;
};

// With the scale that just holds the largest magnitude, equal within 0.3 dB.
TEST(QuantizeMatrix, ReachesTheKnownRatiosWithTheLargestMagnitude) {
  for (const KnownAnswer& known :
       {KnownAnswer{"w8", 42.1, 37.7}, KnownAnswer{"w4:row", 16.9, 12.5},
        KnownAnswer{"w4:128", 18.5, 15.5}, KnownAnswer{"w4", 20.2, 18.3},
        KnownAnswer{"w4-asymmetric", 22.1, 21.0},
        KnownAnswer{"w4-nf4:64", 20.7, 19.7}, KnownAnswer{"w4-nf4", 21.2, 20.7},
        KnownAnswer{"w4-kmeans:row", 19.7, 17.1}}) {
    EXPECT_NEAR(SqnrOf(NormalMatrix(1), known.word, true), known.normal, 0.5)
        << known.word;
    // Few extremes decide for heavy tails.
    EXPECT_NEAR(SqnrOf(StudentMatrix(2), known.word, true), known.student, 1)
        << known.word;
  }
}

// With the best scale, at least the known answers of searched clips.
TEST(QuantizeMatrix, ReachesTheKnownRatiosWithTheBestScale) {
  for (const KnownAnswer& known :
       {KnownAnswer{"w4:row", 19.3, 15.5}, KnownAnswer{"w4", 21.3, 19.4},
        KnownAnswer{"w4-asymmetric", 22.1, 21.0},
        KnownAnswer{"w4-nf4", 21.2, 20.7},
        KnownAnswer{"w4-kmeans:row", 19.7, 17},
        KnownAnswer{"w4-kmeans:tensor", 19.7, 16.5},
        KnownAnswer{"w4-log2:row", 14.1, 14.3},
        KnownAnswer{"w4-log2", 14.9, 15.6},
        KnownAnswer{"w4-apot", 19.2, 18.3}}) {
    EXPECT_GT(SqnrOf(NormalMatrix(1), known.word, false), known.normal - 0.3)
        << known.word;
    EXPECT_GT(SqnrOf(StudentMatrix(2), known.word, false), known.student - 0.7)
        << known.word;
  }
}

// Clips of least error on N(0,1): 2.48 deviations with 4 bits, 1.96 with 3,
// 1.22 (the outermost levels at 1.49) with 2.
TEST(QuantizeMatrix, FindsTheKnownClipsOfTheNormal) {
  const std::vector<float> weights = NormalMatrix(5);
  const auto reach = [&](const char* word, double levels) {
    const QuantizedMatrix matrix =
        QuantizeMatrix(weights, kRows, kColumns, ParsePrecision(word));
    return std::abs(matrix.scales[0]) * levels;
  };
  EXPECT_NEAR(reach("w4:tensor", 7.5), 2.6, 0.2);
  // Eight levels, 0.586 apart (Max 1960, table II): outermost at 2.05.
  EXPECT_NEAR(reach("w3:tensor", 7), 2.05, 0.2);
}

TEST(QuantizeMatrix, LosesOneBitWithReducedRange) {
  const std::vector<float> weights = NormalMatrix(2);
  const QuantizedMatrix reduced = Rows(weights, kRows, kColumns, 63);
  for (const std::int16_t code : reduced.codes) EXPECT_LE(std::abs(code), 63);
  const double full = Sqnr(weights, Dequantize(Rows(weights, kRows, kColumns)));
  EXPECT_NEAR(full - Sqnr(weights, Dequantize(reduced)),
              20 * std::log10(127.0 / 63), 0.3);
}

TEST(QuantizeMatrix, RoundsWithinHalfAScaleAndKeepsTheExtreme) {
  const std::vector<float> weights = {1.27F, -0.64F, 0.0F, 0.5F,
                                      -3.0F, 1.5F,   0.7F, 0.1F};
  const QuantizedMatrix matrix = Rows(weights, 2, 4);
  EXPECT_EQ(matrix.codes,
            (std::vector<std::int16_t>{127, -64, 0, 50, -127, 64, 30, 4}));
  EXPECT_FLOAT_EQ(matrix.scales[0], 0.01F);
  EXPECT_FLOAT_EQ(matrix.scales[1], 3.0F / 127);
}

// Brute force: no other code of the same scale is nearer.
TEST(CodeLevels, NearestIsNearest) {
  Rng rng(11);
  for (const Precision& precision : EveryPrecision()) {
    if (precision.IsFloat() || precision.levels == Levels::kAsymmetric ||
        precision.levels == Levels::kKMeans) {
      continue;
    }
    const CodeLevels levels(precision);
    const bool table = !levels.table().empty();
    const int low = table ? 0 : static_cast<int>(levels.lowest());
    const int high = table ? static_cast<int>(levels.table().size()) - 1
                           : static_cast<int>(levels.highest());
    for (int trial = 0; trial < 200; ++trial) {
      const double x = 1.2 * levels.highest() * (2 * rng.Uniform() - 1);
      double least = 1e9;
      for (int code = low; code <= high; ++code) {
        least = std::min(
            least, std::abs(levels.Value(static_cast<std::int16_t>(code)) - x));
      }
      EXPECT_NEAR(std::abs(levels.Value(levels.Nearest(x)) - x), least, 1e-12);
    }
  }
}

TEST(QuantizeMatrix, IsExactForWeightsThatAreLevels) {
  for (const Precision& precision : EveryPrecision()) {
    if (precision.IsFloat() || precision.levels == Levels::kAsymmetric ||
        precision.levels == Levels::kKMeans) {
      continue;
    }
    const CodeLevels levels(precision);
    std::vector<float> weights;
    const auto count = static_cast<std::int64_t>(levels.table().size());
    for (std::int64_t i = 0; i < 128; ++i) {
      weights.push_back(
          0.25F * static_cast<float>(
                      count > 0
                          ? levels.table()[static_cast<std::size_t>(i % count)]
                          : i % 15 - 7));
    }
    const std::vector<float> rounded =
        Dequantize(QuantizeMatrix(weights, 1, 128, precision));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double tolerance = precision.weight_bits == 8 ? 0.01 : 1e-5;
      EXPECT_NEAR(rounded[i], weights[i], tolerance) << Name(precision);
    }
  }
}

// Constant, zero and one-element rows have a defined result near the weights.
TEST(QuantizeMatrix, HoldsDegenerateRows) {
  for (const Precision& precision : EveryPrecision()) {
    if (precision.IsFloat()) continue;
    for (const float value : {0.F, 1.5F, -1.5F}) {
      const std::vector<float> weights(64, value);
      const QuantizedMatrix matrix = QuantizeMatrix(weights, 2, 32, precision);
      for (const float scale : matrix.scales) {
        EXPECT_TRUE(std::isfinite(scale) && scale != 0) << Name(precision);
      }
      for (const float rounded : Dequantize(matrix)) {
        EXPECT_NEAR(rounded, value, value == 0 ? 1e-4 : 0.02)
            << Name(precision);
      }
    }
    EXPECT_EQ(QuantizeMatrix({0.5F}, 1, 1, precision).codes.size(), 1u);
  }
}

TEST(QuantizeBias, DividesByBothScalesAndStaysWithinInt32) {
  EXPECT_EQ(QuantizeBias({1.0F, -0.5F, 1e30F, -1e30F}, 0.5F,
                         {0.01F, 0.1F, 1e-3F, 1e-3F}),
            (std::vector<std::int32_t>{
                200, -10, std::numeric_limits<std::int32_t>::max(),
                std::numeric_limits<std::int32_t>::min()}));
}

// The integer arithmetic that an int8 engine runs: int32 sums of u8 x s8.
TEST(QuantizedLinear, IntegerAccumulatorEqualsFakeQuantizedProduct) {
  Rng rng(7);
  constexpr std::int64_t kOut = 8;
  constexpr std::int64_t kIn = 96;
  std::vector<float> weights(kOut * kIn);
  for (float& value : weights) value = static_cast<float>(rng.Normal());
  const QuantizedMatrix matrix = Rows(weights, kOut, kIn);
  const std::vector<float> dequantized = Dequantize(matrix);
  const float scale = 0.031F;
  const std::int32_t zero = 97;
  std::vector<std::int32_t> codes(kIn);
  for (std::int32_t& code : codes) {
    code = static_cast<std::int32_t>(rng.Below(256));
  }
  for (std::int64_t o = 0; o < kOut; ++o) {
    std::int32_t accumulator = 0;
    double product = 0;
    for (std::int64_t i = 0; i < kIn; ++i) {
      const auto at = static_cast<std::size_t>(o * kIn + i);
      accumulator += (codes[i] - zero) * matrix.codes[at];
      product += static_cast<double>(dequantized[at]) *
                 (static_cast<float>(codes[i] - zero) * scale);
    }
    const double exact = static_cast<double>(accumulator) * scale *
                         static_cast<double>(matrix.scales[o]);
    EXPECT_NEAR(product, exact, 1e-5 * std::abs(exact) + 1e-5);
  }
}

}  // namespace
}  // namespace hone
