#include "train/compress/matrix_quantization.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "space/base/rng.h"

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

// Published known answers for N(0,1) of 64 x 768: 42.1 dB.
TEST(QuantizeRows, ReachesTheKnownRatioOnNormalWeights) {
  const std::vector<float> weights = NormalMatrix(1);
  const auto sqnr =
      Sqnr(weights, Dequantize(QuantizeRows(weights, kRows, kColumns, 127)));
  EXPECT_NEAR(sqnr, 42.1, 0.3);
}

TEST(QuantizeRows, LosesOneBitWithReducedRange) {
  const std::vector<float> weights = NormalMatrix(2);
  const QuantizedMatrix reduced = QuantizeRows(weights, kRows, kColumns, 63);
  for (const std::int8_t code : reduced.codes) EXPECT_LE(std::abs(code), 63);
  const double full =
      Sqnr(weights, Dequantize(QuantizeRows(weights, kRows, kColumns, 127)));
  EXPECT_NEAR(full - Sqnr(weights, Dequantize(reduced)),
              20 * std::log10(127.0 / 63), 0.3);
}

TEST(QuantizeRows, RoundsWithinHalfAScaleAndKeepsTheExtreme) {
  const std::vector<float> weights = {1.27F, -0.64F, 0.0F, 0.5F,
                                      -3.0F, 1.5F,   0.7F, 0.1F};
  const QuantizedMatrix matrix = QuantizeRows(weights, 2, 4, 127);
  EXPECT_EQ(matrix.codes,
            (std::vector<std::int8_t>{127, -64, 0, 50, -127, 64, 30, 4}));
  EXPECT_FLOAT_EQ(matrix.scales[0], 0.01F);
  EXPECT_FLOAT_EQ(matrix.scales[1], 3.0F / 127);
}

TEST(QuantizeRows, GivesZeroRowsCodesOfZero) {
  const QuantizedMatrix matrix = QuantizeRows({0, 0, 1, 2}, 2, 2, 127);
  EXPECT_EQ(Dequantize(matrix)[0], 0);
  EXPECT_TRUE(std::isfinite(matrix.scales[0]));
}

// The known answers of blockwise-32 symmetric 4-bit codes on N(0,1): 20.2 dB
// with +-7, 21.2 with a clip of least squares, 21.3 with the signed maximum at
// -8. Ours may be better than the best of them, never worse than 21.2.
TEST(QuantizeBlocks4, ReachesTheKnownRatioOnNormalWeights) {
  const std::vector<float> weights = NormalMatrix(3);
  const QuantizedMatrix matrix = QuantizeBlocks4(weights, kRows, kColumns, 32);
  const double sqnr = Sqnr(weights, Dequantize(matrix));
  EXPECT_GT(sqnr, 21.2);
  EXPECT_LT(sqnr, 22.5);
  for (const std::int8_t code : matrix.codes) {
    EXPECT_GE(code, -8);
    EXPECT_LE(code, 7);
  }
  for (const float scale : matrix.scales) EXPECT_GT(scale, 0);
}

TEST(QuantizeBlocks4, PlainSevenLevelsGiveTheKnownBaseline) {
  const std::vector<float> weights = NormalMatrix(3);
  std::vector<float> plain;
  for (std::size_t start = 0; start < weights.size(); start += 32) {
    float largest = 0;
    for (std::size_t i = start; i < start + 32; ++i) {
      largest = std::max(largest, std::abs(weights[i]));
    }
    const float scale = largest / 7;
    for (std::size_t i = start; i < start + 32; ++i) {
      plain.push_back(std::nearbyint(weights[i] / scale) * scale);
    }
  }
  const double baseline = Sqnr(weights, plain);
  EXPECT_NEAR(baseline, 20.2, 0.3);
  EXPECT_GT(
      Sqnr(weights, Dequantize(QuantizeBlocks4(weights, kRows, kColumns, 32))),
      baseline + 0.7);
}

TEST(QuantizeBlocks4, IsExactForWeightsThatAreCodes) {
  std::vector<float> weights;
  for (int i = 0; i < 32; ++i) {
    weights.push_back(0.25F * static_cast<float>(i % 15 - 7));
  }
  const std::vector<float> rounded =
      Dequantize(QuantizeBlocks4(weights, 1, 32, 32));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    EXPECT_NEAR(rounded[i], weights[i], 1e-6);
  }
}

TEST(QuantizeBlocks4, HoldsABlockOfZeros) {
  const QuantizedMatrix matrix =
      QuantizeBlocks4(std::vector<float>(64), 1, 64, 32);
  EXPECT_EQ(Dequantize(matrix), std::vector<float>(64));
  EXPECT_GT(matrix.scales[0], 0);
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
  const QuantizedMatrix matrix = QuantizeRows(weights, kOut, kIn, 127);
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
