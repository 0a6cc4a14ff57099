#include "experiments/trial_comparison.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiments/fixtures.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// d64 with one block beside d128 with two, the first of which has other
// attention and precision.
TrialComparison Example() {
  Trial first = Complete(3, 0.8, 1.0);
  Trial second = Complete(12, 0.6, 1.15);
  second.architecture.stem.d_model = 128;
  BlockSpec& block = second.architecture.encoder[0];
  block.attention = LocalAttention{2, 8};
  block.precision = Precision::kW4;
  second.architecture.encoder.push_back(block);
  return CompareTrials(first, second);
}

TEST(TrialComparisonTest, MarksWhatDiffers) {
  std::vector<std::string> differing;
  for (const TrialComparison::Choice& choice : Example().choices) {
    if (choice.Differs()) {
      differing.push_back(choice.part + " " + choice.property + " " +
                          choice.first + " " + choice.second);
    }
  }
  EXPECT_THAT(
      differing,
      ElementsAre("stem d_model 64 128", "encoder.0 attention full local:8",
                  "encoder.0 precision w8a8 w4",
                  "encoder.1 attention - local:8", "encoder.1 heads - 2",
                  "encoder.1 feed_forward - 128 gelu",
                  "encoder.1 precision - w4"));
}

TEST(TrialComparisonTest, RatiosAreOfTheSecondToTheFirst) {
  const TrialComparison comparison = Example();
  ASSERT_EQ(comparison.values.size(), 2u);
  EXPECT_EQ(comparison.values[0].metric, "accuracy");
  EXPECT_DOUBLE_EQ(*comparison.values[0].ratio, 0.75);
  EXPECT_FALSE(comparison.values[0].overlap);  // there are no intervals
  EXPECT_DOUBLE_EQ(*comparison.values[1].ratio, 1.15);
  EXPECT_TRUE(comparison.values[1].overlap);  // 0.9..1.1 and 1.05..1.25
  const std::string page = ComparisonPage(comparison);
  EXPECT_THAT(page, HasSubstr("12 / 3"));
  EXPECT_THAT(page, HasSubstr("~1.15"));
}

TEST(TrialComparisonTest, AFailedTrialHasNoMetrics) {
  const TrialComparison comparison =
      CompareTrials(Complete(0, 0.5, 1), Failed(1));
  EXPECT_FALSE(comparison.values.at(0).ratio);
  EXPECT_TRUE(ToJson(comparison)["metrics"][0]["values"][1].is_null());
  EXPECT_THAT(ComparisonPage(comparison),
              HasSubstr("failed, diverged: the loss was[2J not finite"));
}

TEST(TrialComparisonTest, WhatTheRestIsComputedInIsAChoice) {
  Trial first = Complete(0, 0.7, 1);
  Trial second = first;
  second.architecture.stem.compute = Compute::kBf16;
  const TrialComparison comparison = CompareTrials(first, second);
  EXPECT_EQ(std::count_if(comparison.choices.begin(), comparison.choices.end(),
                          [](const auto& one) { return one.Differs(); }),
            1);
}

TEST(TrialComparisonTest, LongPrecisionsAreWrapped) {
  TrialComparison comparison = Example();
  for (Trial* trial : {&comparison.first, &comparison.second}) {
    BlockSpec& block = trial->architecture.encoder[0];
    block.linears = {{LinearRole::kQuery, Precision::kF32},
                     {LinearRole::kKey, Precision::kF32},
                     {LinearRole::kDown, Precision::kF32}};
  }
  std::istringstream page(
      ComparisonPage(CompareTrials(comparison.first, comparison.second)));
  for (std::string line; std::getline(page, line);) {
    EXPECT_LE(line.size(), 80u) << line;
  }
}

}  // namespace
}  // namespace hone
