#include "search/predictor_search.h"

#include <gtest/gtest.h>

#include "search/pareto.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

// The simulated numbers are a fixed function of the architecture.
TEST(PredictorSearch, BeatsNsga2AndRandomAtEqualBudget) {
  constexpr std::int64_t kBudget = 64;
  const Point reference = {-0.5, 1.0};  // accuracy 0.5, 1 ms
  int over_nsga2 = 0, over_random = 0;
  double mean = 0, mean_nsga2_twice = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto volume = [&](const char* name, std::int64_t trials) {
      return Hypervolume(PointsOf(name, seed, trials), reference);
    };
    const double predictor = volume("predictor", kBudget);
    over_nsga2 += predictor > volume("nsga2", kBudget);
    over_random += predictor > volume("random", kBudget);
    mean += predictor / 10;
    mean_nsga2_twice += volume("nsga2", 2 * kBudget) / 10;
  }
  EXPECT_GE(over_nsga2, 8);
  EXPECT_EQ(over_random, 10);
  EXPECT_GT(mean, mean_nsga2_twice);
}

std::vector<Trial> TrialsOf(SearchAlgorithm& algorithm, Evaluator& evaluator,
                            std::int64_t trials) {
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(1));
  StudyOptions options;
  options.trials = trials;
  Study(algorithm, evaluator, *store, options).Run();
  return store->LoadTrials();
}

std::vector<Trial> TrialsOf(const AlgorithmContext& context,
                            std::int64_t trials,
                            const char* name = "predictor") {
  return TrialsOf(*TestAlgorithm(name, context),
                  *MakeSimulatedEvaluator(kTestTask, {}), trials);
}

TEST(PredictorSearch, BeginsAtRandomAndThenPredicts) {
  const SearchSpace space = TestSpace();
  const auto trials = TrialsOf(TestContext(space, 1), 64);
  EXPECT_EQ(trials[0].architecture, *space.Largest());
  EXPECT_EQ(trials[1].architecture, *space.Smallest());
  for (std::size_t i = 2; i < 8; ++i) EXPECT_EQ(trials[i].origin, "random");
  int predicted = 0;
  for (std::size_t i = 8; i < 64; ++i) {
    predicted += trials[i].origin == "predicted";
  }
  EXPECT_GE(predicted, 40);  // a tenth stay random
  EXPECT_LT(predicted, 56);
}

// Few random samples are so fast; the models find more that are than
// constraint domination does.
TEST(PredictorSearch, FollowsConstraints) {
  const SearchSpace space = TestSpace();
  AlgorithmContext context = TestContext(space, 3);
  context.constraints = {ParseConstraint("latency_ms <= 0.105"),
                         ParseConstraint("accuracy >= 0.6")};
  const auto feasible = [&](const char* name) {
    int count = 0;
    for (const Trial& trial : TrialsOf(context, 64, name)) {
      count += trial.number >= 16 && Violation(trial, context.constraints) == 0;
    }
    return count;
  };
  const int by_nsga2 = feasible("nsga2");
  EXPECT_GT(feasible("predictor"), by_nsga2);
  EXPECT_GT(by_nsga2, 0);
}

// Latencies with an interval, which reaches half as much beyond the value.
class WideEvaluator : public Evaluator {
 public:
  std::vector<Outcome> Evaluate(const std::vector<Candidate>& batch) override {
    std::vector<Outcome> outcomes = inner_->Evaluate(batch);
    for (Outcome& outcome : outcomes) {
      Metric& latency = std::get<Measurement>(outcome).metrics.at("latency_ms");
      latency.low = latency.value / 2;
      latency.high = latency.value * 1.5;
    }
    return outcomes;
  }

 private:
  std::unique_ptr<Evaluator> inner_ = MakeSimulatedEvaluator(kTestTask, {});
};

// What a trial is held to is the end of the interval.
TEST(PredictorSearch, KeepsBoundsWithWholeIntervals) {
  const SearchSpace space = TestSpace();
  AlgorithmContext context = TestContext(space, 3);
  context.constraints = {ParseConstraint("latency_ms <= 0.18")};
  WideEvaluator evaluator;
  int predicted = 0, feasible = 0;
  for (const Trial& trial :
       TrialsOf(*TestAlgorithm("predictor", context), evaluator, 64)) {
    if (trial.origin != "predicted") continue;
    ++predicted;
    feasible += Violation(trial, context.constraints) == 0;
  }
  EXPECT_GE(feasible, 0.6 * predicted);
}

// A bound that nothing reaches is still a direction.
TEST(PredictorSearch, GoesTowardsAFarBound) {
  const SearchSpace space = TestSpace();
  AlgorithmContext context = TestContext(space, 3);
  context.constraints = {ParseConstraint("accuracy >= 0.99")};
  double random = 0, predicted = 0;
  int randoms = 0, all = 0;
  for (const Trial& trial : TrialsOf(context, 64)) {
    const double accuracy = -MinimizedValues(trial, kTestObjectives)[0];
    (trial.origin == "predicted" ? predicted : random) += accuracy;
    ++(trial.origin == "predicted" ? all : randoms);
  }
  EXPECT_GT(predicted / all, random / randoms);
}

// What is left out of the models is neither good nor new.
TEST(PredictorSearch, SeesTheFittestAndTheLast) {
  const SearchSpace space = TestSpace();
  const AlgorithmContext context = TestContext(space, 2);
  const auto evaluator = MakeSimulatedEvaluator(kTestTask, {});
  const auto volume = [&](std::size_t most) {
    PredictorSearchOptions options;
    options.most = most;
    std::vector<Point> points;
    for (const Trial& trial :
         TrialsOf(*MakePredictorSearch(context, options), *evaluator, 96)) {
      points.push_back(MinimizedValues(trial, kTestObjectives));
    }
    return Hypervolume(points, {-0.5, 1.0});
  };
  EXPECT_NE(volume(24), volume(96));
  EXPECT_EQ(volume(96), volume(600));
  EXPECT_GT(volume(24), 0.98 * volume(600));
}

TEST(PredictorSearch, TakesThreeAndFourObjectives) {
  const SearchSpace space = TestSpace();
  AlgorithmContext context = TestContext(space, 4);
  for (const char* metric : {"weight_bytes", "multiply_adds"}) {
    context.objectives.push_back({metric, Direction::kMinimize});
    EXPECT_EQ(TrialsOf(context, 40).size(), 40u);
  }
}

TEST(PredictorSearch, TakesOneObjective) {
  const SearchSpace space = TestSpace();
  AlgorithmContext context = TestContext(space, 4);
  context.objectives = {{"accuracy", Direction::kMaximize}};
  const auto best = [](const std::vector<Trial>& trials) {
    double best = 0;
    for (const Trial& trial : trials) {
      best = std::min(best, MinimizedValues(trial, {kTestObjectives[0]})[0]);
    }
    return best;
  };
  const auto trials = TrialsOf(context, 64);
  EXPECT_LT(best(trials), best({trials.begin(), trials.begin() + 8}));
}

}  // namespace
}  // namespace hone
