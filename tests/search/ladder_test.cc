#include "search/ladder.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "search/pareto.h"
#include "space/block_layers.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

StudyOptions LadderStudy(const std::string& algorithm, std::int64_t trials) {
  StudyOptions options;
  options.algorithm = algorithm;
  options.rungs = {"inherited", "short"};
  options.other_precisions = false;
  options.trials = trials;
  options.batch = 8;
  return options;
}

std::vector<Trial> TrialsOf(const StudyOptions& options,
                            const SearchSpace& space, std::uint64_t seed) {
  const auto search = MakeSearchAlgorithm(TestContext(space, seed), options);
  TestEvaluator evaluator;
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(seed));
  Study(*search, evaluator, *store, options).Run();
  return store->LoadTrials();
}

// A study of `trials` rows with the rungs inherited and short below full.
std::vector<Trial> LadderTrials(const std::string& algorithm,
                                std::int64_t trials, std::uint64_t seed,
                                bool other_precisions = false,
                                const SearchSpace& space = TestSpace()) {
  StudyOptions options = LadderStudy(algorithm, trials);
  options.other_precisions = other_precisions;
  return TrialsOf(options, space, seed);
}

std::map<Fidelity, std::vector<const Trial*>> ByFidelity(
    const std::vector<Trial>& trials) {
  std::map<Fidelity, std::vector<const Trial*>> rungs;
  for (const Trial& trial : trials) rungs[trial.fidelity].push_back(&trial);
  return rungs;
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

// Few students at many precisions.
SearchSpace ManyPrecisions() {
  SearchSpaceOptions options = TestSpace().options();
  options.layers = {1, 2};
  options.feed_forward = {64, 128};
  options.precision = {"f32", "w8a8", "w8", "w4a8", "w4", "w3", "w2"};
  return SearchSpace(options, kTestTask);
}

std::set<Architecture> StudentsOf(const std::vector<const Trial*>& trials) {
  std::set<Architecture> students;
  for (const Trial* trial : trials) {
    students.insert(WithoutPrecision(trial->architecture));
  }
  return students;
}

// Students that take longest are trained side by side, those that differ in
// precision alone once.
TEST(Ladder, TwoStudentsAtATimeGoToTheFullFidelity) {
  for (const SearchSpace& space : {TestSpace(), ManyPrecisions()}) {
    for (const bool others : {false, true}) {
      std::map<std::int64_t, std::size_t> batches;
      std::set<Architecture> trained;
      for (const Trial& trial : LadderTrials("random", 600, 6, others, space)) {
        if (trial.fidelity != Fidelity::kCost) continue;
        const bool fresh =
            trained.insert(WithoutPrecision(trial.architecture)).second;
        batches[trial.number / 8] += fresh;
      }
      EXPECT_GE(batches.size(), 5u);
      for (const auto& [batch, fresh] : batches) EXPECT_NE(fresh, 1u) << batch;
    }
  }
}

// As many students as a third of the trials that did not fail; somewhat more,
// since the best change as others finish. Precisions come beside them.
TEST(Ladder, PlacesAreOfStudents) {
  const auto is_complete = [](const Trial* one) {
    return one->state() == TrialState::kComplete;
  };
  for (const SearchSpace& space : {TestSpace(), ManyPrecisions()}) {
    const auto trials = LadderTrials("random", 400, 1, false, space);
    const auto rungs = ByFidelity(trials);
    const Fidelity order[] = {Fidelity::kInherited, Fidelity::kShort,
                              Fidelity::kCost};
    for (const int i : {0, 1}) {
      const auto& lower = rungs.at(order[i]);
      const auto& higher = rungs.at(order[i + 1]);
      const auto third =
          std::count_if(lower.begin(), lower.end(), is_complete) / 3.0;
      const auto students = static_cast<double>(StudentsOf(higher).size());
      EXPECT_GE(students, third - 2);
      EXPECT_LE(students, 1.4 * third);
    }
    const auto& brief = rungs.at(Fidelity::kShort);
    EXPECT_LT(StudentsOf(brief).size(), brief.size());
  }
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

// At the moment of each promotion, the students that have a trial of a better
// rank than the promoted one's are at most a third of the rung's trials.
TEST(Ladder, ThePromotedAreAmongTheBestOfTheirRung) {
  const auto trials = LadderTrials("random", 300, 3, false, ManyPrecisions());
  for (const Trial& promoted : trials) {
    if (promoted.fidelity != Fidelity::kShort) continue;
    const std::int64_t begin = promoted.number / 8 * 8;
    std::vector<Point> points;
    std::vector<Architecture> students;
    std::size_t own = 0;
    for (const Trial& trial : trials) {
      if (trial.number >= begin || trial.fidelity != Fidelity::kInherited ||
          trial.state() != TrialState::kComplete) {
        continue;
      }
      if (trial.architecture == promoted.architecture) own = points.size();
      points.push_back(MinimizedValues(trial, kTestObjectives));
      students.push_back(WithoutPrecision(trial.architecture));
    }
    const std::vector<int> ranks = NonDominatedRanks(points);
    std::set<Architecture> better;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      if (ranks[i] < ranks[own]) better.insert(students[i]);
    }
    EXPECT_LE(better.size(), ranks.size() / 3);
  }
}

TEST(Ladder, TheFrontTakesFullTrialsAlone) {
  for (const Trial& trial : LadderTrials("random", 100, 4)) {
    EXPECT_EQ(!FeasibleValues(trial, kTestObjectives, {}).empty(),
              trial.fidelity == Fidelity::kCost &&
                  trial.state() == TrialState::kComplete);
  }
}

// Also where a batch has more places than the space, or than what is promoted,
// can fill.
TEST(Ladder, ASmallSpaceIsClimbedToItsEnd) {
  const SearchSpace space = TinySpace();
  for (const int batch : {1, 3, 5, 8, 16}) {
    StudyOptions options = LadderStudy("random", 1000);
    options.batch = batch;
    const auto search = MakeSearchAlgorithm(TestContext(space, 5), options);
    const auto evaluator = MakeSimulatedEvaluator(kTestTask, {});
    const auto store = MakeMemoryTrialStore();
    store->CreateStudy(TestInfo(5));
    Study(*search, *evaluator, *store, options).Run();
    const auto trials = store->LoadTrials();
    for (const Fidelity fidelity :
         {Fidelity::kInherited, Fidelity::kShort, Fidelity::kCost}) {
      EXPECT_EQ(ByFidelity(trials)[fidelity].size(), 8u)
          << batch << " " << Name(fidelity);
    }
  }
}

// With one place in a batch nothing can go two at a time.
TEST(Ladder, BatchesOfOneClimbToo) {
  StudyOptions options = LadderStudy("random", 120);
  options.batch = 1;
  EXPECT_GE(
      ByFidelity(TrialsOf(options, TestSpace(), 3))[Fidelity::kCost].size(),
      8u);
}

// Students of cheap fidelities are worse than what becomes of them.
TEST(Ladder, BoundsOnQualityCountAtTheFullFidelityAlone) {
  const SearchSpace space = TestSpace();
  const auto trials_with = [&](std::vector<Constraint> constraints) {
    AlgorithmContext context = TestContext(space, 4);
    context.constraints = std::move(constraints);
    const StudyOptions options = LadderStudy("nsga2", 200);
    const auto search = MakeSearchAlgorithm(context, options);
    TestEvaluator evaluator;
    const auto store = MakeMemoryTrialStore();
    store->CreateStudy(TestInfo(4));
    Study(*search, evaluator, *store, options).Run();
    return store->LoadTrials();
  };
  double best = 0;
  for (const Trial& trial : trials_with({})) {
    if (IsFull(trial.fidelity) || trial.state() != TrialState::kComplete) {
      continue;
    }
    best = std::max(best, -MinimizedValues(trial, kTestObjectives)[0]);
  }
  const std::vector<Constraint> bound = {{"accuracy", false, best}};
  int satisfied = 0;
  for (const Trial& trial : trials_with(bound)) {
    satisfied += !FeasibleValues(trial, kTestObjectives, bound).empty();
  }
  EXPECT_GE(satisfied, 1);
}

// Asks for as many as a batch has places for, so that an algorithm can spread
// them.
TEST(Ladder, AsksForWholeBatches) {
  class Counting : public SearchAlgorithm {
   public:
    Counting(const AlgorithmContext& context, std::vector<int>& counts)
        : inner_(TestAlgorithm("random", context)), counts_(counts) {}
    std::string Name() const override { return "counting"; }
    std::vector<Proposal> Suggest(std::int64_t first, int count) override {
      counts_.push_back(count);
      return inner_->Suggest(first, count);
    }
    void Observe(const std::vector<Trial>&) override {}

   private:
    std::unique_ptr<SearchAlgorithm> inner_;
    std::vector<int>& counts_;
  };
  const SearchSpace space = TestSpace();
  std::vector<int> counts;
  const auto ladder = MakeLadder(
      [&](const AlgorithmContext& lowest) {
        return std::make_unique<Counting>(lowest, counts);
      },
      TestContext(space, 1), {{Fidelity::kInherited, Fidelity::kCost}});
  TestEvaluator evaluator;
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(1));
  StudyOptions options;
  options.trials = 64;
  options.batch = 8;
  Study(*ladder, evaluator, *store, options).Run();
  EXPECT_EQ(counts.front(), 8);
  EXPECT_LE(counts.size(), 8u);
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

// Below the full fidelity all are different students at one precision; there
// all precisions are measured.
TEST(Ladder, RungsMayHaveOnePrecision) {
  const SearchSpace space = ManyPrecisions();
  StudyOptions options = LadderStudy("nsga2", 200);
  options.other_precisions = true;
  options.rung_precision = "w4a8";
  const auto trials = TrialsOf(options, space, 3);
  const auto rungs = ByFidelity(trials);
  const auto& inherited = rungs.at(Fidelity::kInherited);
  EXPECT_EQ(StudentsOf(inherited).size(), inherited.size());
  std::set<std::string> full;
  for (const Trial& trial : trials) {
    const std::string words = PrecisionText(trial.architecture.encoder[0]);
    if (trial.fidelity == Fidelity::kCost) {
      full.insert(words);
    } else {
      EXPECT_EQ(words, "w4a8");
    }
  }
  EXPECT_EQ(full.size(), space.options().precision.size());
}

TEST(SuccessiveHalving, NeedsRungs) {
  const SearchSpace space = TestSpace();
  StudyOptions options;
  options.algorithm = "successive-halving";
  EXPECT_THROW(MakeSearchAlgorithm(TestContext(space, 1), options), Error);
}

}  // namespace
}  // namespace hone
