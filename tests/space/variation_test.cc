#include "space/variation.h"

#include <set>

#include <gtest/gtest.h>

#include "tests/space/shapes.h"

namespace hone {
namespace {

SearchSpace Space() {
  SearchSpaceOptions options;
  options.d_model = {24, 32, 48};
  options.layers = {1, 2, 3, 5};
  options.heads = {2, 3, 4};
  options.feed_forward = {32, 64, 96};
  options.attention = {"full", "local:4"};
  options.constraints = {"parameters <= 60000"};
  return SearchSpace(options, ClassifierShape(100, 5, 16));
}

TEST(Mutate, StaysInTheSpaceAndMoves) {
  const SearchSpace space = Space();
  for (int i = 0; i < 500; ++i) {
    Rng rng(1, i, "mutate");
    const Architecture parent = space.Sample(rng);
    const Architecture child = Mutate(space, parent, 0.1, rng);
    EXPECT_TRUE(space.Contains(child));
    EXPECT_NE(child, parent);
  }
}

TEST(Mutate, ReachesEveryDimension) {
  const SearchSpace space = Space();
  Rng start(2, 0, "start");
  const Architecture parent = space.Sample(start);
  std::set<std::int64_t> widths, heads, ffn;
  std::set<std::size_t> layers, kinds;
  std::set<Precision> precisions;
  for (int i = 0; i < 1000; ++i) {
    Rng rng(2, i, "mutate");
    const Architecture child = Mutate(space, parent, 0.1, rng);
    widths.insert(child.stem.d_model);
    layers.insert(child.encoder.size());
    heads.insert(Heads(child.encoder[0].attention));
    kinds.insert(child.encoder[0].attention.index());
    ffn.insert(child.encoder[0].feed_forward.width);
    precisions.insert(child.encoder[0].precision);
  }
  EXPECT_EQ(widths.size(), 3u);
  EXPECT_EQ(layers.size(), 4u);
  EXPECT_EQ(heads.size(), 3u);
  EXPECT_EQ(kinds.size(), 2u);
  EXPECT_EQ(ffn.size(), 3u);
  EXPECT_EQ(precisions.size(), 3u);
}

TEST(Crossover, TakesBlocksFromBothParentsAtTheirDepth) {
  const SearchSpace space = Space();
  const Architecture a = {{48},
                          std::vector<BlockSpec>(2, {MultiHead(2), {32}, {}})};
  const Architecture b = {
      {48},
      std::vector<BlockSpec>(3, {LocalAttention{4, 4}, {64}, Precision::kW4})};
  bool mixed = false;
  for (int i = 0; i < 200; ++i) {
    Rng rng(3, i, "cross");
    const Architecture child = Crossover(space, a, b, rng);
    ASSERT_TRUE(space.Contains(child));
    EXPECT_TRUE(child.encoder.size() == 2 || child.encoder.size() == 3);
    std::set<BlockSpec> kinds(child.encoder.begin(), child.encoder.end());
    for (const BlockSpec& block : kinds) {
      EXPECT_TRUE(block == a.encoder[0] || block == b.encoder[0]);
    }
    mixed |= kinds.size() == 2;
  }
  EXPECT_TRUE(mixed);
}

TEST(Crossover, RepairsHeadsAndFallsBackToMutation) {
  const SearchSpace space = Space();
  for (int i = 0; i < 500; ++i) {
    Rng rng(4, i, "cross");
    const Architecture a = space.Sample(rng);
    const Architecture b = rng.Bernoulli(0.1) ? a : space.Sample(rng);
    const Architecture child = Crossover(space, a, b, rng);
    EXPECT_TRUE(space.Contains(child));
    EXPECT_NE(child, a);
    EXPECT_NE(child, b);
  }
}

TEST(Variation, DependsOnTheStreamAlone) {
  const SearchSpace space = Space();
  Rng start(6, 0, "start");
  const Architecture parent = space.Sample(start);
  Rng one(6, 1, "x"), two(6, 1, "x");
  EXPECT_EQ(Mutate(space, parent, 0.2, one), Mutate(space, parent, 0.2, two));
}

}  // namespace
}  // namespace hone
