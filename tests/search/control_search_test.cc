#include "search/control_search.h"

#include <set>

#include <gtest/gtest.h>

#include "tests/search/fixtures.h"

namespace hone {
namespace {

// 3 widths x 2 depths x 2 head counts x 3 feed-forward widths x 2 kinds x 3
// precisions.
TEST(UniformScaling, ProposesAllWhoseBlocksAreAlikeAndNothingElse) {
  SearchSpaceOptions options = TestSpace().options();
  options.layers = {1, 2};
  const SearchSpace space(options, kTestTask);
  const auto algorithm = MakeUniformScaling(TestContext(space, 1));
  std::set<Architecture> proposed;
  for (const Proposal& proposal : algorithm->Suggest(0, 400)) {
    const Architecture& made = proposal.suggestion.architecture;
    for (const BlockSpec& block : made.encoder) {
      EXPECT_EQ(block, made.encoder.front());
    }
    proposed.insert(made);
  }
  EXPECT_EQ(proposed.size(), 216u);
}

}  // namespace
}  // namespace hone
