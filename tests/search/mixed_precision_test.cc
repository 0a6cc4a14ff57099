#include "search/mixed_precision.h"

#include <gtest/gtest.h>

#include "space/base/rng.h"

namespace hone {
namespace {

using Table = std::vector<std::vector<double>>;

Table RandomTable(std::size_t blocks, std::size_t choices, const char* label) {
  Rng rng(7, 0, label);
  Table table(blocks, std::vector<double>(choices));
  for (auto& row : table) {
    for (double& value : row) value = rng.Uniform();
  }
  return table;
}

std::vector<Assignment> Everything(const Table& errors, const Table& costs) {
  std::vector<Assignment> all{{}};
  for (std::size_t block = 0; block < errors.size(); ++block) {
    std::vector<Assignment> longer;
    for (const Assignment& one : all) {
      for (std::size_t i = 0; i < errors[block].size(); ++i) {
        longer.push_back(one);
        longer.back().choices.push_back(i);
        longer.back().error += errors[block][i];
        longer.back().cost += costs[block][i];
      }
    }
    all = longer;
  }
  return all;
}

TEST(MixedPrecision, FindsAllThatNothingBeats) {
  const Table errors = RandomTable(5, 4, "errors");
  const Table costs = RandomTable(5, 4, "costs");
  const std::vector<Assignment> all = Everything(errors, costs);
  std::size_t expected = 0;
  const std::vector<Assignment> best = BestAssignments(errors, costs);
  for (const Assignment& one : all) {
    bool beaten = false;
    for (const Assignment& other : all) {
      beaten |= other.cost <= one.cost && other.error <= one.error &&
                (other.cost < one.cost || other.error < one.error);
    }
    if (beaten) continue;
    ++expected;
    EXPECT_NE(std::find(best.begin(), best.end(), one), best.end());
  }
  EXPECT_EQ(best.size(), expected);
  EXPECT_GT(expected, 5u);
  for (std::size_t i = 1; i < best.size(); ++i) {
    EXPECT_LT(best[i - 1].cost, best[i].cost);
    EXPECT_GT(best[i - 1].error, best[i].error);
  }
}

// Where blocks cost alike, the least sensitive are rounded first.
TEST(MixedPrecision, SparesTheSensitiveBlocks) {
  const Table errors{{0, 5}, {0, 1}, {0, 3}};
  const Table costs(3, {2, 1});
  const auto mixed = MixedAssignments(BestAssignments(errors, costs), 9);
  ASSERT_EQ(mixed.size(), 2u);
  EXPECT_EQ(mixed[0].choices, (std::vector<std::size_t>{0, 1, 1}));
  EXPECT_EQ(mixed[1].choices, (std::vector<std::size_t>{0, 1, 0}));
}

TEST(MixedPrecision, SpreadsOverTheFront) {
  const auto all =
      BestAssignments(RandomTable(8, 3, "a"), RandomTable(8, 3, "b"));
  const auto some = MixedAssignments(all, 3);
  ASSERT_EQ(some.size(), 3u);
  EXPECT_LT(some[0].cost, some[1].cost);
  EXPECT_LT(some[1].cost, some[2].cost);
}

TEST(MixedPrecision, NothingToMix) {
  EXPECT_TRUE(MixedAssignments(BestAssignments({{0, 1}}, {{1, 0}}), 4).empty());
  EXPECT_TRUE(MixedAssignments(BestAssignments({}, {}), 4).empty());
}

}  // namespace
}  // namespace hone
