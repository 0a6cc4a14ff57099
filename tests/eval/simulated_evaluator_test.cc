#include "eval/simulated_evaluator.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace hone
