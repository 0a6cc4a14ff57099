#include "eval/simulated_evaluator.h"

#include <gtest/gtest.h>

#include "space/block_layers.h"
#include "space/search_space.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

const TaskShape kTask = ClassifierShape(1000, 45, 32);

double Accuracy(const Outcome& outcome) {
  return std::get<Measurement>(outcome).metrics.at("accuracy").value;
}

TEST(SimulatedEvaluator, DependsOnTheArchitectureAlone) {
  const auto evaluator = MakeSimulatedEvaluator(kTask, {});
  const SearchSpace space({}, kTask);
  for (int i = 0; i < 20; ++i) {
    Rng rng(1, i, "sample");
    const Architecture a = space.Sample(rng), b = space.Sample(rng);
    const auto alone = evaluator->Evaluate({{0, a, 1, Fidelity::kCost}});
    const auto pair = evaluator->Evaluate(
        {{7, b, 2, Fidelity::kCost}, {8, a, 3, Fidelity::kCost}});
    EXPECT_EQ(alone[0], pair[1]);
    EXPECT_GT(Accuracy(alone[0]), 0.3);
    EXPECT_LT(Accuracy(alone[0]), 0.9);
  }
}

TEST(SimulatedLatency, GrowsWithWorkAndFallsWithBits) {
  const auto latency = [](std::int64_t d, std::size_t layers,
                          Precision precision, std::int64_t tokens) {
    const BlockSpec block = {MultiHead(4), {4 * d}, precision};
    return SimulatedLatencyMs({{d}, std::vector<BlockSpec>(layers, block)},
                              kTask, 1, tokens);
  };
  const double base = latency(128, 2, Precision::kF32, 16);
  EXPECT_GT(latency(256, 2, Precision::kF32, 16), base);
  EXPECT_GT(latency(128, 3, Precision::kF32, 16), base);
  EXPECT_GT(latency(128, 2, Precision::kF32, 32), base);
  EXPECT_LT(latency(128, 2, Precision::kW8A8, 16), base);
}

TEST(SimulatedLatency, FallsInBf16) {
  for (const Precision precision : {Precision::kF32, Precision::kW8A8}) {
    Architecture architecture = {{128}, {{MultiHead(4), {256}, precision}}};
    const double before = SimulatedLatencyMs(architecture, kTask, 1, 16);
    architecture.stem.compute = Compute::kBf16;
    EXPECT_LT(SimulatedLatencyMs(architecture, kTask, 1, 16), before);
  }
}

// Layer by layer from f32 to w8a8 every step gains, whole or factored, and the
// rates are those by hand: 2e7 and 6e7 multiply-adds in a millisecond.
TEST(SimulatedLatency, CountsEachLayerAtItsPrecision) {
  for (const std::int64_t rank : {0, 24}) {
    BlockSpec block = {MultiHead(4), {256}, Precision::kF32};
    block.rank = rank;
    const StemSpec stem{128};
    double before = SimulatedLatencyMs({stem, {block}}, kTask, 2, 16);
    for (const LinearRole role : LinearRolesOf(block)) {
      LinearPrecisions precisions = PrecisionsOf(block);
      precisions[role] = Precision::kW8A8;
      // The layers' own part alone: the block's precision stays f32.
      if (role == LinearRole::kValue) break;
      SetPrecisions(precisions, block);
      ASSERT_EQ(block.precision, Precision::kF32);
      const double after = SimulatedLatencyMs({stem, {block}}, kTask, 2, 16);
      const double weights = rank > 0 ? 24 * (128 + 128) : 128 * 128;
      EXPECT_NEAR(before - after, 2 * 16 * weights * (1 / 2e7 - 1 / 6e7), 1e-9);
      before = after;
    }
  }
}

}  // namespace
}  // namespace hone
