#include "space/cost.h"

#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/network/cost_ops.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

const TaskShape kTask = ClassifierShape(1000, 7, 20);

// Worked by hand for d 64, FFN 128, T 10.
TEST(Cost, HandWorkedExample) {
  const Architecture architecture = {{64},
                                     {{MultiHead(4), {128}, Precision::kF32}}};
  const Cost cost = CostOf(architecture, kTask, 1, 10);
  const std::int64_t attention = 4 * (64 * 64 + 64);
  const std::int64_t feed_forward = 64 * 128 + 128 + 128 * 64 + 64;
  const std::int64_t norms = 3 * 2 * 64;
  const std::int64_t stem = 1000 * 64 + 20 * 64;
  const std::int64_t head = 64 * 7 + 7;
  EXPECT_EQ(cost.parameters, stem + attention + feed_forward + norms + head);
  EXPECT_EQ(cost.weight_bytes, 4 * cost.parameters);
  EXPECT_EQ(cost.multiply_adds, 10 * (4 * 64 * 64 + 2 * 64 * 128)  // linears
                                    + 2 * 10 * 10 * 64  // scores, mixing
                                    + 64 * 7);
  // The largest operation: queries, keys, values and output, and 4 x 10 x 10
  // scores; the feed-forward's GELU holds 2 x 10 x 128.
  EXPECT_EQ(cost.activation_bytes, 4 * (4 * 10 * 64 + 4 * 10 * 10));
}

TEST(Cost, QuantizedBytes) {
  const auto bytes = [](Precision precision) {
    return CostOf({{64}, {{MultiHead(4), {128}, precision}}}, kTask, 1, 10)
        .weight_bytes;
  };
  const std::int64_t weights = 4 * 64 * 64 + 2 * 64 * 128;
  const std::int64_t outputs = 4 * 64 + 128 + 64;
  const std::int64_t others = bytes(Precision::kF32) - 4 * (weights + outputs);
  EXPECT_EQ(bytes(Precision::kW8A8), others + weights + 8 * outputs + 6 * 5);
  EXPECT_EQ(bytes(Precision::kW4),
            others + weights / 2 + 4 * weights / 32 + 4 * outputs);
}

TEST(Cost, ScalesWithBatchAndBlocks) {
  const BlockSpec block = {LocalAttention{2, 4}, {96}, Precision::kW8A8};
  const auto cost = [&](std::size_t blocks, std::int64_t batch) {
    return CostOf({{32}, std::vector<BlockSpec>(blocks, block)}, kTask, batch,
                  8);
  };
  EXPECT_EQ(cost(3, 1).parameters - cost(2, 1).parameters,
            cost(2, 1).parameters - cost(1, 1).parameters);
  EXPECT_EQ(cost(3, 5).multiply_adds, 5 * cost(3, 1).multiply_adds);
  EXPECT_EQ(cost(3, 5).parameters, cost(3, 1).parameters);
}

// 16 levels in a table of each layer; a scale for each output; half a byte.
TEST(Cost, BytesOfATableOfLevels) {
  const auto bytes = [](const char* word) {
    return CostOf({{64}, {{MultiHead(4), {128}, ParsePrecision(word)}}}, kTask,
                  1, 10)
        .weight_bytes;
  };
  const std::int64_t weights = 4 * 64 * 64 + 2 * 64 * 128;
  const std::int64_t outputs = 4 * 64 + 128 + 64;
  const std::int64_t others = bytes("f32") - 4 * (weights + outputs);
  EXPECT_EQ(bytes("w4-nf4:row"), others + weights / 2 + 6 * 16 + 8 * outputs);
  EXPECT_EQ(bytes("w2:row"), others + weights / 4 + 6 * 4 + 8 * outputs);
  EXPECT_EQ(bytes("w4-asymmetric"),
            others + weights / 2 + 5 * weights / 32 + 4 * outputs);
}

// 1,000 rows of codes and a scale each; rows take whole bytes.
TEST(Cost, BytesOfATokenTable) {
  const auto cost = [](const char* word, std::int64_t rank) {
    StemSpec stem{64};
    stem.embedding = ParsePrecision(word);
    stem.embedding_rank = rank;
    return CostOf({stem, {{MultiHead(4), {128}, Precision::kF32}}}, kTask, 1,
                  10);
  };
  const Cost whole = cost("f32", 0);
  EXPECT_EQ(cost("w8", 0).parameters, whole.parameters);
  const std::int64_t others = whole.weight_bytes - 4 * 64'000;
  EXPECT_EQ(cost("w8", 0).weight_bytes, others + 64'000 + 4'000);
  EXPECT_EQ(cost("w4:row", 0).weight_bytes, others + 32'000 + 4'000);
  EXPECT_EQ(cost("w2:row", 0).weight_bytes, others + 16'000 + 4'000);
  // With the layer that widens: 7 x 64 weights and 64 biases.
  EXPECT_EQ(cost("f32", 7).parameters, whole.parameters - 57'000 + 7 * 64 + 64);
  EXPECT_EQ(cost("w4:row", 7).weight_bytes,
            others + 4 * (7 * 64 + 64) + 1'000 * (4 + 4));
  EXPECT_EQ(cost("f32", 7).multiply_adds, whole.multiply_adds + 10 * 7 * 64);
  // 61 x 1,064 is more than 64,000.
  EXPECT_EQ(cost("f32", 61), whole);
}

// Everything that is a float in the file is half as long; codes and scales
// stay.
TEST(Cost, BytesInBf16) {
  const auto cost = [](const char* word, Compute compute) {
    StemSpec stem{64};
    stem.compute = compute;
    return CostOf({stem, {{MultiHead(4), {128}, ParsePrecision(word)}}}, kTask,
                  1, 10);
  };
  const Cost plain = cost("f32", Compute::kF32);
  const Cost half = cost("f32", Compute::kBf16);
  EXPECT_EQ(plain.weight_bytes, 4 * plain.parameters);
  EXPECT_EQ(half.weight_bytes, 2 * half.parameters);
  EXPECT_EQ(half.parameters, plain.parameters);
  EXPECT_EQ(half.multiply_adds, plain.multiply_adds);
  const std::int64_t weights = 4 * 64 * 64 + 2 * 64 * 128;
  const std::int64_t outputs = 4 * 64 + 128 + 64;
  const std::int64_t others = 2 * (plain.parameters - weights - outputs);
  EXPECT_EQ(cost("w8", Compute::kBf16).weight_bytes,
            others + weights + 4 * outputs + 2 * outputs);
  EXPECT_EQ(cost("w8a8", Compute::kBf16).weight_bytes,
            others + weights + 4 * outputs + 4 * outputs + 6 * 5);
}

// What a decoder keeps, it keeps for each sequence: keys and values of every
// token, or one sum.
TEST(Cost, CachesAreOfEachSequence) {
  const TaskShape task = DecoderShape(50, 16);
  for (const char* kind : {"full", "linear", "performer:8"}) {
    const auto attention = WithHeads(ParseAttention(kind), 2);
    Architecture decoder{{16}, {}, {{*attention, {32}}}};
    const auto cache = [&](std::int64_t batch) {
      return CostOf(decoder, task, batch, 8).cache_bytes;
    };
    EXPECT_GT(cache(1), 0) << kind;
    EXPECT_EQ(cache(3), 3 * cache(1)) << kind;
  }
}

TEST(Cost, MetricsByName) {
  const Cost cost = {1, 2, 3, 4, 5};
  double expected = 1;
  for (const std::string& name : CostMetricNames()) {
    EXPECT_EQ(CostMetric(cost, name), expected++);
  }
  EXPECT_THROW(CostMetric(cost, "parametres"), Error);
}

}  // namespace
}  // namespace hone
