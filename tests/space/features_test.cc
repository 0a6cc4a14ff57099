#include "space/features.h"

#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "tests/space/shapes.h"

namespace hone {
namespace {

SearchSpace Space() {
  SearchSpaceOptions options;
  options.d_model = {32, 48};
  options.layers = {1, 2};
  options.heads = {2, 4};
  options.feed_forward = {32, 64};
  options.attention = {"full", "local:4", "local:8"};
  options.precision = {"f32", "w8a8", "w4"};
  options.embedding = {"f32", "w8"};
  options.compute = {"f32", "bf16"};
  return SearchSpace(options, ClassifierShape(100, 5, 16));
}

BlockSpec Block() { return {MultiHead(2), {32}, Precision::kF32}; }

TEST(Features, HaveOneLengthWhateverTheDepth) {
  const SearchSpace space = Space();
  const std::size_t length = Features(space, {{32}, {Block()}}).size();
  for (int i = 0; i < 50; ++i) {
    Rng rng(1, i, "features");
    EXPECT_EQ(Features(space, space.Sample(rng)).size(), length);
  }
  const Architecture deep = {{32}, std::vector<BlockSpec>(6, Block())};
  EXPECT_EQ(Features(space, deep).size(), length);
}

TEST(Features, TellEveryChoiceApart) {
  const SearchSpace space = Space();
  std::set<std::vector<double>> seen = {Features(space, {{32}, {Block()}})};
  const auto differs = [&](const Architecture& architecture) {
    EXPECT_TRUE(seen.insert(Features(space, architecture)).second)
        << ShortText(architecture);
  };
  differs({{48}, {Block()}});
  differs({{32}, {Block(), Block()}});
  for (const auto& change : std::vector<std::function<void(Architecture&)>>{
           [](auto& a) { a.encoder[0].attention = MultiHead(4); },
           [](auto& a) {
             a.encoder[0].attention = LocalAttention{2, 4};
           },
           [](auto& a) {
             a.encoder[0].attention = LocalAttention{2, 8};
           },
           [](auto& a) { a.encoder[0].feed_forward.width = 64; },
           [](auto& a) { a.encoder[0].precision = Precision::kW8A8; },
           [](auto& a) { a.encoder[0].precision = Precision::kW4; },
           [](auto& a) { a.stem.embedding = ParsePrecision("w8"); },
           [](auto& a) { a.stem.compute = Compute::kBf16; }}) {
    Architecture changed = {{32}, {Block()}};
    change(changed);
    differs(changed);
  }
}

TEST(Features, DoNotSeeTheOrderOfBlocks) {
  const SearchSpace space = Space();
  BlockSpec other = Block();
  other.precision = Precision::kW4;
  EXPECT_EQ(Features(space, {{32}, {Block(), other}}),
            Features(space, {{32}, {other, Block()}}));
}

}  // namespace
}  // namespace hone
