#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "search/pareto.h"
#include "space/block_layers.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

// A study of `trials` rows with the rungs inherited and short below full.
std::vector<Trial> LadderTrials(const std::string& algorithm,
                                std::int64_t trials, std::uint64_t seed,
                                bool other_precisions = false) {
  const SearchSpace space = TestSpace();
  StudyOptions options;
  options.algorithm = algorithm;
  options.rungs = {"inherited", "short"};
  options.other_precisions = other_precisions;
  options.trials = trials;
  options.batch = 8;
  const auto search = MakeSearchAlgorithm(TestContext(space, seed), options);
  TestEvaluator evaluator;
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(seed));
  Study(*search, evaluator, *store, options).Run();
  return store->LoadTrials();
}

std::map<Fidelity, std::vector<const Trial*>> ByFidelity(
    const std::vector<Trial>& trials) {
  std::map<Fidelity, std::vector<const Trial*>> rungs;
  for (const Trial& trial : trials) rungs[trial.fidelity].push_back(&trial);
  return rungs;
}

TEST(Ladder, EveryRungGetsItsShare) {
  const auto trials = LadderTrials("random", 400, 1);
  const auto rungs = ByFidelity(trials);
  // A third goes on, and a third of those: 9/13, 3/13, 1/13, but for failed
  // trials, which go nowhere.
  EXPECT_NEAR(rungs.at(Fidelity::kInherited).size(), 400.0 * 9 / 13, 25);
  EXPECT_NEAR(rungs.at(Fidelity::kShort).size(), 400.0 * 3 / 13, 20);
  EXPECT_NEAR(rungs.at(Fidelity::kCost).size(), 400.0 / 13, 10);
}

TEST(Ladder, NobodySkipsARungOrClimbsItTwice) {
  const auto trials = LadderTrials("nsga2", 300, 2);
  const Fidelity order[] = {Fidelity::kInherited, Fidelity::kShort,
                            Fidelity::kCost};
  std::map<Architecture, std::size_t> next;
  for (const Trial& trial : trials) {
    EXPECT_EQ(trial.fidelity, order[next[trial.architecture]++]);
    EXPECT_EQ(trial.origin == "promoted",
              trial.fidelity != Fidelity::kInherited);
  }
}

// Students that take longest are trained side by side.
TEST(Ladder, TwoAtATimeGoToTheFullFidelity) {
  std::map<std::int64_t, int> batches;
  for (const Trial& trial : LadderTrials("random", 400, 6)) {
    if (trial.fidelity == Fidelity::kCost) ++batches[trial.number / 8];
  }
  EXPECT_GE(batches.size(), 10u);
  for (const auto& [batch, full] : batches) EXPECT_GE(full, 2) << batch;
}

// In the batch after, or the next, and once.
TEST(Ladder, WhatIsFullIsMeasuredAtEachPrecision) {
  const SearchSpace space = TestSpace();
  const auto trials = LadderTrials("nsga2", 400, 7, true);
  std::map<Architecture, std::set<Architecture>> full;
  for (const Trial& trial : trials) {
    if (trial.fidelity != Fidelity::kCost) continue;
    const bool others = trial.origin == "precision";
    EXPECT_EQ(others, full.contains(WithoutPrecision(trial.architecture)) &&
                          trial.origin != "promoted");
    EXPECT_TRUE(full[WithoutPrecision(trial.architecture)]
                    .insert(trial.architecture)
                    .second);
  }
  EXPECT_GE(full.size(), 10u);
  for (const Trial& trial : trials) {
    if (trial.fidelity != Fidelity::kCost || trial.number >= 380 ||
        trial.state() != TrialState::kComplete) {
      continue;
    }
    for (const std::string& word : space.options().precision) {
      EXPECT_TRUE(full.at(WithoutPrecision(trial.architecture))
                      .contains(WithPrecision(trial.architecture,
                                              ParsePrecision(word))));
    }
  }
}

// At the moment of each promotion the promoted trial is dominated, at its rung,
// by fewer than all those that were finished before its batch.
TEST(Ladder, ThePromotedAreAmongTheBestOfTheirRung) {
  const auto trials = LadderTrials("random", 300, 3);
  for (const Trial& promoted : trials) {
    if (promoted.fidelity != Fidelity::kShort) continue;
    const std::int64_t begin = promoted.number / 8 * 8;
    std::vector<Point> points;
    std::size_t own = 0;
    for (const Trial& trial : trials) {
      if (trial.number >= begin || trial.fidelity != Fidelity::kInherited ||
          trial.state() != TrialState::kComplete) {
        continue;
      }
      if (trial.architecture == promoted.architecture) own = points.size();
      points.push_back(MinimizedValues(trial, kTestObjectives));
    }
    const std::vector<int> ranks = NonDominatedRanks(points);
    const auto better =
        std::count_if(ranks.begin(), ranks.end(),
                      [&](int rank) { return rank < ranks[own]; });
    EXPECT_LT(static_cast<double>(better),
              static_cast<double>(points.size()) / 3);
  }
}

TEST(Ladder, TheFrontTakesFullTrialsAlone) {
  for (const Trial& trial : LadderTrials("random", 100, 4)) {
    EXPECT_EQ(!FeasibleValues(trial, kTestObjectives, {}).empty(),
              trial.fidelity == Fidelity::kCost &&
                  trial.state() == TrialState::kComplete);
  }
}

TEST(Ladder, ASmallSpaceIsClimbedToItsEnd) {
  const SearchSpace space = TinySpace();
  StudyOptions options;
  options.algorithm = "random";
  options.rungs = {"short"};
  options.other_precisions = false;
  options.trials = 1000;
  options.batch = 3;
  const auto search = MakeSearchAlgorithm(TestContext(space, 5), options);
  const auto evaluator = MakeSimulatedEvaluator(kTestTask, {});
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(5));
  Study(*search, *evaluator, *store, options).Run();
  const auto trials = store->LoadTrials();
  EXPECT_EQ(ByFidelity(trials).at(Fidelity::kShort).size(), 8u);
  EXPECT_EQ(ByFidelity(trials).at(Fidelity::kCost).size(), 8u);
}

// Estimates that keep the order find a better front for the same number of
// full trials.
TEST(Ladder, BeatsFullTrialsOfAsManyRandomSamples) {
  const Point reference{0, 10};
  int wins = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::vector<Point> climbed;
    std::int64_t full = 0;
    for (const Trial& trial : LadderTrials("random", 390, seed, true)) {
      full += IsFull(trial.fidelity);
      const Point point = FeasibleValues(trial, kTestObjectives, {});
      if (!point.empty()) climbed.push_back(point);
    }
    wins += Hypervolume(climbed, reference) >
            Hypervolume(PointsOf("random", seed, full), reference);
  }
  EXPECT_GE(wins, 9);
}

TEST(SuccessiveHalving, NeedsRungs) {
  const SearchSpace space = TestSpace();
  StudyOptions options;
  options.algorithm = "successive-halving";
  EXPECT_THROW(MakeSearchAlgorithm(TestContext(space, 1), options), Error);
}

}  // namespace
}  // namespace hone
