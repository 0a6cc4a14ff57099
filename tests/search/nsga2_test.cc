#include "search/nsga2.h"

#include <gtest/gtest.h>

#include "search/pareto.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

constexpr std::int64_t kBudget = 160;

// A tabular problem: the simulated numbers are a fixed function of the
// architecture. Margin: better in at least 8 of 10 seeds, and by 1 % on
// average.
TEST(Nsga2, BeatsRandomAtEqualBudget) {
  int wins = 0;
  double mean = 0;
  double mean_random_twice = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto nsga2 = PointsOf("nsga2", seed, kBudget);
    const auto random = PointsOf("random", seed, kBudget);
    const Point reference = {-0.5, 1.0};  // accuracy 0.5, 1 ms
    const double a = Hypervolume(nsga2, reference);
    const double b = Hypervolume(random, reference);
    wins += a > b;
    mean += a / 10;
    mean_random_twice +=
        Hypervolume(PointsOf("random", seed, 2 * kBudget), reference) / 10;
  }
  EXPECT_GE(wins, 8);
  EXPECT_GT(mean, mean_random_twice);
}

TEST(Nsga2, BeginsWithTheAnchors) {
  const SearchSpace space = TestSpace();
  const auto algorithm = TestAlgorithm("nsga2", TestContext(space, 1));
  const auto proposals = algorithm->Suggest(0, 4);
  EXPECT_EQ(proposals[0].suggestion.architecture, *space.Largest());
  EXPECT_EQ(proposals[1].suggestion.architecture, *space.Smallest());
  EXPECT_EQ(proposals[1].origin, "anchor");
  EXPECT_EQ(proposals[2].origin, "random");
}

// Blocks are rounded in the order of how little that spoils.
TEST(Nsga2, MixesPrecisionsOfTheLargest) {
  const SearchSpace space = TestSpace();
  AlgorithmContext context = TestContext(space, 1);
  context.precision_errors = [](const Architecture& architecture,
                                const std::vector<Precision>& precisions) {
    EXPECT_EQ(precisions.size(), 3u);
    EXPECT_EQ(architecture.encoder.size(), 3u);
    return std::vector<std::vector<double>>{
        {0, 5, 5.5}, {0, 1, 1.5}, {0, 3, 3.5}};
  };
  const auto algorithm = MakeNsga2(context, {8, 0.5, 0.15, 0.1, 2});
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(1));
  const auto evaluator = MakeSimulatedEvaluator(kTestTask, {});
  StudyOptions options;
  options.trials = 16;
  options.batch = 4;
  Study(*algorithm, *evaluator, *store, options).Run();
  const std::vector<Trial> trials = store->LoadTrials();
  const Architecture largest = *space.Largest();
  const auto precisions = [&](std::size_t number) {
    std::vector<std::string> words;
    for (const BlockSpec& block : trials[number].architecture.encoder) {
      words.push_back(Name(block.precision));
    }
    EXPECT_EQ(trials[number].origin, "anchor");
    return words;
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(trials[0].architecture, largest);
  EXPECT_EQ(precisions(2), (Words{"w8a8", "w8a8", "w8a8"}));
  EXPECT_EQ(precisions(3), (Words{"w4", "w4", "w4"}));
  // By the simulated latency w8a8 is the cheapest and errs less than w4.
  EXPECT_EQ(precisions(4), (Words{"f32", "w8a8", "w8a8"}));
  EXPECT_EQ(precisions(5), (Words{"f32", "w8a8", "f32"}));
  EXPECT_EQ(trials[6].origin, "random");
}

// With a bound that almost no random sample meets, constraint domination leads
// the search to where it holds.
TEST(Nsga2, FollowsConstraints) {
  const SearchSpace space = TestSpace();
  const Constraint bound = ParseConstraint("latency_ms <= 0.105");
  const auto feasible = [&](const std::vector<Trial>& trials,
                            std::size_t from) {
    int count = 0;
    for (std::size_t i = from; i < trials.size(); ++i) {
      count += trials[i].state() == TrialState::kComplete &&
               Violation(trials[i], {bound}) == 0;
    }
    return count;
  };
  const auto run = [&](const std::string& name) {
    AlgorithmContext context = TestContext(space, 3);
    context.constraints = {bound};
    const auto algorithm = TestAlgorithm(name, context);
    TestEvaluator evaluator;
    const auto store = MakeMemoryTrialStore();
    store->CreateStudy(TestInfo(3));
    StudyOptions options;
    options.trials = 120;
    Study(*algorithm, evaluator, *store, options).Run();
    return store->LoadTrials();
  };
  EXPECT_GT(2 * feasible(run("nsga2"), 60), 3 * feasible(run("random"), 60));
}

}  // namespace
}  // namespace hone
