#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/search/fixtures.h"

namespace hone {
namespace {

// What every search algorithm owes, by its name in a spec.
class SearchAlgorithmContract : public ::testing::TestWithParam<std::string> {
 protected:
  static std::vector<Trial> Evaluated(const std::vector<Proposal>& proposals,
                                      std::int64_t first) {
    TestEvaluator evaluator;
    std::vector<Trial> trials;
    for (const Proposal& proposal : proposals) {
      Trial trial;
      trial.number = first + static_cast<std::int64_t>(trials.size());
      trial.architecture = proposal.suggestion.architecture;
      trial.fidelity = proposal.suggestion.fidelity;
      trial.outcome = evaluator.Evaluate(
          {{trial.number, trial.architecture, 1, trial.fidelity}})[0];
      trials.push_back(trial);
    }
    return trials;
  }

  // What an algorithm proposes in batches.
  using Suggestions = std::vector<std::pair<Architecture, Fidelity>>;
  static Suggestions Proposed(SearchAlgorithm& algorithm, std::int64_t count,
                              int batch) {
    Suggestions proposed;
    for (std::int64_t first = 0; first < count; first += batch) {
      const auto proposals = algorithm.Suggest(first, batch);
      for (const Proposal& proposal : proposals) {
        const auto& [architecture, fidelity] = proposal.suggestion;
        proposed.emplace_back(architecture, fidelity);
        EXPECT_FALSE(proposal.origin.empty());
        if (GetParam() != "successive-halving") {
          EXPECT_EQ(fidelity, Fidelity::kCost);
        }
      }
      algorithm.Observe(Evaluated(proposals, first));
    }
    return proposed;
  }
};

TEST_P(SearchAlgorithmContract, KnowsItsName) {
  const SearchSpace space = TestSpace();
  EXPECT_EQ(TestAlgorithm(GetParam(), TestContext(space, 1))->Name(),
            GetParam());
}

TEST_P(SearchAlgorithmContract, ProposesDistinctMembers) {
  const SearchSpace space = TestSpace();
  const auto algorithm = TestAlgorithm(GetParam(), TestContext(space, 1));
  const auto proposed = Proposed(*algorithm, 200, 8);
  EXPECT_EQ(proposed.size(), 200u);
  EXPECT_EQ(std::set(proposed.begin(), proposed.end()).size(), 200u);
  for (const auto& [architecture, fidelity] : proposed) {
    EXPECT_TRUE(space.Contains(architecture));
  }
}

TEST_P(SearchAlgorithmContract, ExhaustsASmallSpaceAndThenEnds) {
  const SearchSpace space = TinySpace();
  const auto algorithm = TestAlgorithm(GetParam(), TestContext(space, 2));
  std::set<Architecture> architectures;
  for (const auto& [architecture, fidelity] : Proposed(*algorithm, 30, 3)) {
    architectures.insert(architecture);
  }
  EXPECT_EQ(architectures.size(), 8u);
  EXPECT_TRUE(algorithm->Suggest(30, 3).empty());
}

TEST_P(SearchAlgorithmContract, IsAFunctionOfItsCalls) {
  const SearchSpace space = TestSpace();
  const auto one = TestAlgorithm(GetParam(), TestContext(space, 3));
  const auto two = TestAlgorithm(GetParam(), TestContext(space, 3));
  const auto other = TestAlgorithm(GetParam(), TestContext(space, 4));
  const auto proposed = Proposed(*one, 64, 8);
  EXPECT_EQ(proposed, Proposed(*two, 64, 8));
  EXPECT_NE(proposed, Proposed(*other, 64, 8));
}

TEST_P(SearchAlgorithmContract, SurvivesWhenEverythingFails) {
  const SearchSpace space = TestSpace();
  const auto algorithm = TestAlgorithm(GetParam(), TestContext(space, 5));
  for (std::int64_t first = 0; first < 40; first += 8) {
    auto trials = Evaluated(algorithm->Suggest(first, 8), first);
    ASSERT_EQ(trials.size(), 8u);
    for (Trial& trial : trials) trial.outcome = Failure{"diverged", "all do"};
    algorithm->Observe(trials);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SearchAlgorithmContract,
                         ::testing::ValuesIn(SearchAlgorithmNames()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace hone
