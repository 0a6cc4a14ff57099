#include "experiments/finalist_latency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/simulated_evaluator.h"
#include "tests/experiments/fixtures.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(1000, 10, 32);

SearchSpace Space() {
  SearchSpaceOptions options;
  options.layers = {1, 2, 3};
  options.feed_forward = {64, 128, 256};
  return SearchSpace(options, kTask);
}

// Distinct members with their simulated latencies, times `factor`.
std::vector<Trial> Trials(std::size_t count, double factor = 1) {
  const SearchSpace space = Space();
  Rng rng(1, 0, "trials");
  std::vector<Trial> trials;
  while (trials.size() < count) {
    const Architecture one = space.Sample(rng);
    const auto number = static_cast<std::int64_t>(trials.size());
    trials.push_back(
        Complete(number, 0.5, factor * SimulatedLatencyMs(one, kTask, 1, 16)));
    trials.back().architecture = one;
  }
  return trials;
}

TEST(FinalistLatency, IsToldByOtherTrials) {
  std::vector<Trial> trials = Trials(80);
  const std::vector<Trial> front(trials.begin(), trials.begin() + 6);
  const auto told = PredictFinalists(Space(), trials, front);
  ASSERT_TRUE(told.has_value());
  EXPECT_LE(told->learned_from, 74u);
  EXPECT_LT(told->errors.mean_share, 0.02);
  EXPECT_THAT(FinalistText(told), testing::HasSubstr("other trials"));
  EXPECT_EQ(FinalistToJson(told)["finalists"], told->finalists);
}

// What was measured of a finalist at a lower rung would give it away: with
// latencies of finalists twice what their kind costs, the error is a half.
TEST(FinalistLatency, DoesNotLearnFromTheFinalistsThemselves) {
  std::vector<Trial> trials = Trials(80);
  std::vector<Trial> front = Trials(6, 2);
  for (int i = 0; i < 6; ++i) {
    trials.push_back(front[static_cast<std::size_t>(i)]);
  }
  const auto told = PredictFinalists(Space(), trials, front);
  ASSERT_TRUE(told.has_value());
  EXPECT_NEAR(told->errors.mean_share, 0.5, 0.02);
}

TEST(FinalistLatency, NeedsTrialsAndFinalists) {
  const std::vector<Trial> trials = Trials(40);
  EXPECT_FALSE(PredictFinalists(Space(), trials, {trials[0]}).has_value());
  const std::vector<Trial> few(trials.begin(), trials.begin() + 5);
  EXPECT_FALSE(
      PredictFinalists(Space(), few, {trials[0], trials[1]}).has_value());
  EXPECT_FALSE(PredictFinalists(Space(), {Failed(0)}, {}).has_value());
  EXPECT_EQ(FinalistText(std::nullopt), "");
  EXPECT_TRUE(FinalistToJson(std::nullopt).is_null());
}

}  // namespace
}  // namespace hone
