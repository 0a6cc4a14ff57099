#include "experiments/standing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiments/fixtures.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::vector<Trial>& Front() {
  static const std::vector<Trial> front = {
      Complete(0, 0.9, 2.0), Complete(1, 0.8, 1.0), Complete(2, 0.6, 0.5)};
  return front;
}

std::vector<std::int64_t> Numbers(const std::vector<Rival>& rivals) {
  std::vector<std::int64_t> numbers;
  for (const Rival& rival : rivals) numbers.push_back(rival.number);
  return numbers;
}

TEST(StandingTest, DominatorsAreNowhereWorseAndSomewhereBetter) {
  const Trial trial = Complete(3, 0.75, 1.25);
  const Standing standing = StandingOf(trial, Front(), ExampleStudy());
  EXPECT_FALSE(standing.on_front);
  ASSERT_THAT(Numbers(standing.dominators), ElementsAre(1));
  const auto& by = standing.dominators[0].by;
  EXPECT_EQ(by[0].metric, "accuracy");
  EXPECT_NEAR(by[0].amount, 0.05, 1e-12);
  EXPECT_NEAR(*by[0].share, 0.05 / 0.75, 1e-12);
  EXPECT_NEAR(by[1].amount, 0.25, 1e-12);
  EXPECT_NEAR(*by[1].share, 0.2, 1e-12);
  EXPECT_THAT(StandingPage(trial, standing, ExampleStudy()),
              HasSubstr("1 trial of it dominates this one"));
  // Equal in one, better in the other.
  EXPECT_THAT(
      Numbers(StandingOf(Complete(3, 0.8, 1.25), Front(), ExampleStudy())
                  .dominators),
      ElementsAre(1));
}

TEST(StandingTest, NeighboursAreNextBetterInEachObjective) {
  const Standing middle = StandingOf(Front()[1], Front(), ExampleStudy());
  EXPECT_TRUE(middle.on_front);
  EXPECT_THAT(middle.dominators, IsEmpty());
  EXPECT_THAT(Numbers(middle.neighbours), ElementsAre(0, 2));
  EXPECT_NEAR(middle.neighbours[0].by[0].amount, 0.1, 1e-12);
  EXPECT_NEAR(middle.neighbours[0].by[1].amount, -1, 1e-12);
  EXPECT_NEAR(*middle.neighbours[1].by[1].share, 0.5, 1e-12);
  EXPECT_THAT(StandingPage(Front()[1], middle, ExampleStudy()),
              Not(HasSubstr("No trial is better")));

  const Standing end = StandingOf(Front()[2], Front(), ExampleStudy());
  EXPECT_THAT(Numbers(end.neighbours), ElementsAre(1));
  EXPECT_THAT(StandingPage(Front()[2], end, ExampleStudy()),
              HasSubstr("No trial is better in latency_ms."));
}

TEST(StandingTest, ABrokenConstraintIsNamedWithItsExcess) {
  StudyInfo study = ExampleStudy();
  study.constraints = {ParseConstraint("accuracy >= 0.5"),
                       ParseConstraint("latency_ms <= 2")};
  const Trial trial = Complete(3, 0.95, 2.5);
  const Standing standing = StandingOf(trial, Front(), study);
  ASSERT_EQ(standing.broken.size(), 1u);
  EXPECT_EQ(standing.broken[0].value, 2.6);
  EXPECT_THAT(StandingPage(trial, standing, study),
              HasSubstr("latency_ms <= 2: its interval goes to 2.6, 0.6 above "
                        "(30 % of the bound)"));
  EXPECT_EQ(ToJson(standing)["breaks"][0]["constraint"], "latency_ms <= 2");
}

TEST(StandingTest, AnEstimateIsCalledOne) {
  Trial trial = Complete(3, 0.75, 1.25);
  trial.fidelity = Fidelity::kShort;
  EXPECT_EQ(StandingLine(StandingOf(trial, Front(), ExampleStudy())),
            "An estimate of fidelity 'short', and so not on the front: 1 trial "
            "of it dominates this one.\n");
  trial = Complete(3, 0.99, 0.01);
  trial.fidelity = Fidelity::kInherited;
  EXPECT_EQ(StandingLine(StandingOf(trial, Front(), ExampleStudy())),
            "An estimate of fidelity 'inherited', and so not on the front, "
            "where no trial dominates it.\n");
}

TEST(StandingTest, AFailedTrialSaysWhyWithoutControlCharacters) {
  const Standing standing = StandingOf(Failed(4), Front(), ExampleStudy());
  EXPECT_EQ(StandingLine(standing), "");
  const std::string page = StandingPage(Failed(4), standing, ExampleStudy());
  EXPECT_THAT(page, HasSubstr("it failed (diverged): the loss was[2J not"));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_EQ(ToJson(standing)["failure"]["code"], "diverged");
}

}  // namespace
}  // namespace hone
