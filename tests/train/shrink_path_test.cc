#include "train/compress/shrink_path.h"

#include <gtest/gtest.h>

#include "tests/space/kinds.h"
#include "train/compress/shrink.h"

namespace hone {
namespace {

Architecture Of(std::int64_t d_model, std::vector<BlockSpec> blocks) {
  return {{d_model}, std::move(blocks)};
}

BlockSpec Full(std::int64_t heads, std::int64_t width,
               std::int64_t head_dim = 0) {
  BlockSpec block = BlockOf("full", heads, width, Precision::kF32);
  block.head_dim = head_dim;
  return block;
}

// Each can be cut out of the one before, is an architecture, and is new.
void ExpectSteps(const Architecture& larger, const Architecture& smaller,
                 std::int64_t rounds) {
  const auto path = ShrinkPath(larger, smaller, rounds);
  ASSERT_FALSE(path.empty());
  EXPECT_LE(path.size(), static_cast<std::size_t>(rounds));
  EXPECT_EQ(path.back(), smaller);
  Architecture before = larger;
  for (const Architecture& step : path) {
    EXPECT_NO_THROW(CheckCanShrink(before, step)) << ShortText(step);
    EXPECT_NO_THROW(CheckArchitecture(step, "step")) << ShortText(step);
    if (path.size() > 1) {
      EXPECT_NE(step, before);
    }
    before = step;
  }
}

TEST(ShrinkPath, TakesTheSameShareOfWhatIsLeft) {
  const Architecture larger = Of(128, {Full(8, 512), Full(8, 512)});
  const Architecture smaller = Of(32, {Full(2, 128, 16), Full(4, 512, 16)});
  EXPECT_EQ(ShrinkPath(larger, smaller, 1), std::vector{smaller});
  // Half of what is left at each step; four heads of 16 are 64 again.
  EXPECT_EQ(ShrinkPath(larger, smaller, 2),
            (std::vector{Of(64, {Full(4, 256), Full(6, 512, 16)}), smaller}));
  const auto four = ShrinkPath(larger, smaller, 4);
  ASSERT_EQ(four.size(), 4U);
  EXPECT_EQ(four[0].stem.d_model, 91);
  EXPECT_EQ(four[2].stem.d_model, 45);
  EXPECT_EQ(four[0].encoder[0].feed_forward.width, 362);
}

TEST(ShrinkPath, TakesBlocksAway) {
  const Architecture larger =
      Of(32, {Full(4, 80), Full(4, 64), Full(4, 64), Full(4, 72)});
  const Architecture smaller = Of(32, {Full(2, 16, 8)});
  const auto path = ShrinkPath(larger, smaller, 2);
  ASSERT_EQ(path.size(), 2U);
  EXPECT_EQ(path[0], Of(32, {Full(3, 32, 8), Full(3, 32, 8)}));
  for (const std::int64_t rounds : {1, 2, 3, 7, 40}) {
    ExpectSteps(larger, smaller, rounds);
    ExpectSteps(larger, Of(32, {Full(4, 64), Full(3, 20, 8)}), rounds);
  }
}

// What cannot be made of a product comes last; what does not change is no step.
TEST(ShrinkPath, LeavesOutStepsThatChangeNothing) {
  const Architecture larger = Of(32, {Full(4, 64)});
  Architecture factored = larger;
  factored.encoder[0].rank = 8;
  EXPECT_EQ(ShrinkPath(larger, factored, 5), std::vector{factored});
  EXPECT_EQ(ShrinkPath(larger, larger, 5), std::vector{larger});
  factored.encoder[0].feed_forward.width = 16;
  const auto path = ShrinkPath(larger, factored, 2);
  ASSERT_EQ(path.size(), 2U);
  EXPECT_EQ(path[0], Of(32, {Full(4, 32)}));
  EXPECT_EQ(ShrinkPath(larger, Of(32, {Full(4, 62)}), 9).size(), 2U);
}

// Of every kind, with as much as can go.
TEST(ShrinkPath, IsValidForEveryKind) {
  for (const NetworkCase& one : NetworkCases(32, Precision::kF32)) {
    const Architecture& larger = one.architecture;
    if (AllBlocks(larger)[0].rank > 0) continue;
    Architecture smaller = larger;
    if (larger.stem.positions != Positions::kSinusoidal &&
        larger.stem.embedding_rank == 0) {
      smaller.stem.d_model = 12;
    }
    for (auto* blocks : {&smaller.encoder, &smaller.decoder}) {
      for (BlockSpec& block : *blocks) {
        const std::int64_t head_dim = HeadDim(larger.stem, block);
        block.feed_forward.width = 5;
        if (const auto one_head = WithHeads(block.attention, 1)) {
          BlockSpec fewer = block;
          fewer.attention = *one_head;
          fewer.head_dim = head_dim;
          Architecture lone = larger;
          Architecture cut = larger;
          lone.encoder = {block};
          cut.encoder = {fewer};
          lone.decoder.clear();
          cut.decoder.clear();
          try {
            CheckCanShrink(lone, cut);
            block = fewer;
          } catch (const std::exception&) {
          }
        }
        block.head_dim =
            SpelledHeadDim(smaller.stem, block.attention, head_dim);
      }
    }
    for (const std::int64_t rounds : {1, 2, 3, 6}) {
      SCOPED_TRACE(one.name);
      ExpectSteps(larger, smaller, rounds);
    }
  }
}

}  // namespace
}  // namespace hone
