#include "search/regularized_evolution.h"

#include <gtest/gtest.h>

#include "search/pareto.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

constexpr std::int64_t kBudget = 160;

TEST(RegularizedEvolution, BeatsRandomAtEqualBudget) {
  const Point reference = {-0.5, 1.0};
  int wins = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    wins += Hypervolume(PointsOf("regularized-evolution", seed, kBudget),
                        reference) >
            Hypervolume(PointsOf("random", seed, kBudget), reference);
  }
  EXPECT_GE(wins, 8);
}

Trial TrialOf(std::int64_t number, const Architecture& architecture,
              double latency) {
  Trial trial;
  trial.number = number;
  trial.architecture = architecture;
  Measurement measured;
  measured.metrics["accuracy"].value = 0.5;
  measured.metrics["latency_ms"].value = latency;
  trial.outcome = measured;
  return trial;
}

// The fittest of all dies when it is the oldest: children then resemble the
// young ones alone.
TEST(RegularizedEvolution, TheOldestDies) {
  const SearchSpace space = TestSpace();
  const auto algorithm =
      MakeRegularizedEvolution(TestContext(space, 1), {4, 4, 1e-9});
  const Architecture best = *space.Smallest();
  const Architecture young = *space.Largest();
  algorithm->Suggest(0, 4);
  algorithm->Observe({TrialOf(0, best, 1), TrialOf(1, best, 1)});
  for (std::int64_t number = 2; number < 6; ++number) {
    algorithm->Observe({TrialOf(number, young, 9)});
  }
  // One gene is redrawn, so most of the parent is there to see.
  for (const Proposal& child : algorithm->Suggest(4, 8)) {
    const Architecture& made = child.suggestion.architecture;
    EXPECT_TRUE(made.stem == young.stem || made.encoder == young.encoder);
    EXPECT_EQ(child.origin, "mutation");
  }
}

}  // namespace
}  // namespace hone
