#include "space/search_space.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/encoding.h"
#include "space/variation.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

const TaskShape kTask = ClassifierShape(100, 5, 16);

SearchSpaceOptions Small() {
  SearchSpaceOptions options;
  options.d_model = {24, 32};
  options.layers = {1, 2};
  options.heads = {2, 3, 4};
  options.feed_forward = {32, 64};
  options.attention = {"full", "local:4"};
  options.precision = {"f32", "w4"};
  return options;
}

TEST(SearchSpace, SizeEqualsEnumeration) {
  const SearchSpace space(Small(), kTask);
  // d 24: 3 heads x 2 kinds x 2 widths x 2 precisions = 24 blocks; d 32: 16.
  EXPECT_EQ(space.Size(), 24 + 24 * 24 + 16 + 16 * 16);
  const std::vector<Architecture> members = space.Enumerate(1000);
  EXPECT_EQ(static_cast<double>(members.size()), space.Size());
  const std::set<Architecture> distinct(members.begin(), members.end());
  EXPECT_EQ(distinct.size(), members.size());
  for (const Architecture& member : members)
    EXPECT_TRUE(space.Contains(member));
  EXPECT_THROW(space.Enumerate(10), Error);
}

TEST(SearchSpace, SamplesAreMembersAndCoverTheSpace) {
  SearchSpaceOptions options = Small();
  options.layers = {1};
  const SearchSpace space(options, kTask);
  std::map<Architecture, int> seen;
  for (int i = 0; i < 2000; ++i) {
    Rng rng(5, i, "sample");
    const Architecture sample = space.Sample(rng);
    ASSERT_TRUE(space.Contains(sample));
    ++seen[sample];
  }
  EXPECT_EQ(static_cast<double>(seen.size()), space.Size());
}

TEST(SearchSpace, ConstraintsAreCheckedFirst) {
  SearchSpaceOptions options = Small();
  options.constraints = {"parameters <= 14000"};
  const SearchSpace space(options, kTask);
  const SearchSpace all(Small(), kTask);
  std::size_t legal = 0;
  for (const Architecture& member : all.Enumerate(1000)) {
    const bool small = CostOf(member, kTask, 1, 16).parameters <= 14000;
    EXPECT_EQ(space.Contains(member), small);
    EXPECT_EQ(space.ConstraintViolation(member).empty(), small);
    legal += small;
  }
  EXPECT_EQ(space.Enumerate(1000).size(), legal);
  EXPECT_GT(legal, 0u);
  EXPECT_LT(legal, all.Enumerate(1000).size());
  options.constraints = {"parameters <= 1"};
  const SearchSpace none(options, kTask);
  Rng rng(1);
  EXPECT_THROW(none.Sample(rng), Error);
}

TEST(SearchSpace, AnchorsAreTheExtremes) {
  const SearchSpace space(Small(), kTask);
  EXPECT_EQ(ShortText(*space.Largest()), "d32 L2 [h4 f64 full f32 x2]");
  EXPECT_EQ(ShortText(*space.Smallest()), "d24 L1 [h2 f32 full f32]");
  for (const Architecture& member : space.Enumerate(1000)) {
    const auto macs = [](const Architecture& architecture) {
      return CostOf(architecture, kTask, 1, 16).multiply_adds;
    };
    EXPECT_LE(macs(member), macs(*space.Largest()));
    EXPECT_GE(macs(member), macs(*space.Smallest()));
  }
  SearchSpaceOptions options = Small();
  options.constraints = {"parameters <= 14000"};
  EXPECT_FALSE(SearchSpace(options, kTask).Largest());
}

TEST(SearchSpace, EncodingRoundTrips) {
  const SearchSpace space(Small(), kTask);
  std::set<std::vector<int>> codes;
  for (const Architecture& member : space.Enumerate(1000)) {
    const std::vector<int> genes = Encode(space, member);
    EXPECT_EQ(genes.size(), 10u + 2 * 5u);
    EXPECT_EQ(Decode(space, genes), member);
    codes.insert(genes);
  }
  EXPECT_EQ(static_cast<double>(codes.size()), space.Size());
  std::vector<int> genes = *codes.begin();
  genes[10] = 99;
  EXPECT_THROW(Decode(space, genes), Error);
  genes.pop_back();
  EXPECT_THROW(Decode(space, genes), Error);
}

void ExpectRefused(const SearchSpaceOptions& options, const TaskShape& task,
                   const std::string& message) {
  try {
    const SearchSpace space(options, task);
    FAIL() << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
        << error.what();
  }
}

TEST(SearchSpace, RefusesBadOptionsByName) {
  const auto refused = [](auto change, const std::string& message) {
    SearchSpaceOptions options = Small();
    change(options);
    ExpectRefused(options, kTask, message);
  };
  using Options = SearchSpaceOptions;
  refused(
      [](Options& o) {
        o.heads = {2, 7};
      },
      "space.heads[1]: 7 does not divide d_model 24, 32");
  refused([](Options& o) { o.heads = {3}; }, "space.d_model[1]: 32");
  refused([](Options& o) { o.layers = {}; }, "space.layers: at least one");
  refused([](Options& o) { o.layers = {2, 2}; }, "space.layers[1]: '2'");
  refused([](Options& o) { o.attention = {"fulll"}; }, "space.attention[0]");
  refused([](Options& o) { o.attention = {"local:0"}; }, "window");
  refused(
      [](Options& o) {
        o.embedding = {"f32", "w4"};
      },
      "space.embedding[1]: 'w4': the rows of a table");
  refused([](Options& o) { o.embedding = {"w8:row"}; },
          "space.embedding[0]: 'w8:row' is spelled 'w8'");
  refused([](Options& o) { o.embedding = {}; }, "space.embedding: at least");
  refused(
      [](Options& o) {
        o.embedding_rank = {8, 8};
      },
      "space.embedding_rank[1]: '8'");
  refused([](Options& o) { o.constraints = {"params <= 3"}; },
          "space.constraints[0]: unknown cost metric 'params'");
}

// A draw of such a width or depth would find no block.
TEST(SearchSpace, RefusesWidthsAndDepthsWithoutABlock) {
  SearchSpaceOptions odd = Small();
  odd.d_model = {12};
  odd.heads = {4};
  odd.positions = {"learned", "rotary"};
  ExpectRefused(odd, kTask,
                "space.attention: none of the words fits d_model 12");
  odd.head_dim = {0, 4};
  EXPECT_NO_THROW(SearchSpace(odd, kTask));
  SearchSpaceOptions grouped = Small();
  grouped.d_model = {64, 66};
  grouped.heads = {4, 6};
  grouped.attention = {"full:4"};
  ExpectRefused(grouped, kTask,
                "space.attention: none of the words fits d_model 66");
  SearchSpaceOptions shallow = Small();
  shallow.layers = {1, 2};
  shallow.cross_layers = {2};
  ExpectRefused(shallow, TranslationShape(50, 8, 8),
                "space.layers[0]: 1 encoder blocks are fewer");
  EXPECT_NO_THROW(SearchSpace(shallow, kTask));
}

// Encoder, cross-attention and decoder vary apart.
TEST(SearchSpace, EncoderDecoderEqualsEnumeration) {
  SearchSpaceOptions options;
  options.d_model = {16};
  options.layers = {1, 2};
  options.decoder_layers = {1};
  options.heads = {2};
  options.feed_forward = {8};
  options.attention = {"full", "linformer:4"};
  options.decoder_attention = {"full:1"};
  options.cross_layers = {1, 2};
  options.precision = {"f32"};
  options.positions = {"learned", "rotary"};
  const SearchSpace space(options, TranslationShape(50, 8, 8));
  // One encoder block: 2 kinds, 1 cross choice; two: 4 kinds, 2 choices.
  EXPECT_EQ(space.Size(), 2 * (2 * 1 + 4 * 2));
  const auto members = space.Enumerate(100);
  EXPECT_EQ(static_cast<double>(members.size()), space.Size());
  for (const Architecture& member : members) {
    EXPECT_TRUE(space.Contains(member));
    CheckArchitecture(member, "a");
    EXPECT_EQ(Decode(space, Encode(space, member)), member);
  }
  std::set<Architecture> seen;
  for (int i = 0; i < 500; ++i) {
    Rng rng(7, i, "sample");
    const Architecture sample = space.Sample(rng);
    const Architecture child = Mutate(space, sample, 0.2, rng);
    EXPECT_TRUE(space.Contains(child));
    EXPECT_TRUE(space.Contains(Crossover(space, sample, child, rng)));
    seen.insert(sample);
  }
  EXPECT_EQ(static_cast<double>(seen.size()), space.Size());
}

// 100 rows: a rank of 20 makes a table of 24 columns no smaller (20 x 124 >
// 2400) and one of 32 columns smaller (20 x 132 > 3200 is false: 2640).
TEST(SearchSpace, TablesOfTokensAreChoicesOfTheStem) {
  SearchSpaceOptions options = Small();
  options.layers = {1};
  options.heads = {4};
  options.feed_forward = {32};
  options.attention = {"full"};
  options.precision = {"f32"};
  options.embedding = {"w2:row", "f32"};
  options.embedding_rank = {20, 0, 4};
  const SearchSpace space(options, kTask);
  EXPECT_EQ(space.EmbeddingRanks(24), (std::vector<std::int64_t>{0, 4}));
  EXPECT_EQ(space.EmbeddingRanks(32), (std::vector<std::int64_t>{20, 0, 4}));
  EXPECT_EQ(space.Size(), 2 * 2 + 2 * 3);
  const auto members = space.Enumerate(100);
  const std::set<Architecture> distinct(members.begin(), members.end());
  EXPECT_EQ(static_cast<double>(distinct.size()), space.Size());
  for (const Architecture& member : members) {
    CheckArchitecture(member, "a");
    EXPECT_TRUE(space.Contains(member));
    EXPECT_EQ(Decode(space, Encode(space, member)), member);
  }
  EXPECT_EQ(space.Largest()->stem.embedding_rank, 20);
  EXPECT_EQ(Name(space.Largest()->stem.embedding), "w2:row");
  EXPECT_EQ(space.Smallest()->stem.embedding_rank, 0);
  std::set<Architecture> reached;
  Architecture now = members.front();
  for (int i = 0; i < 500; ++i) {
    Rng rng(9, i, "mutate");
    const Architecture child = Mutate(space, now, 0.2, rng);
    EXPECT_TRUE(space.Contains(Crossover(space, now, child, rng)));
    reached.insert(now = child);
  }
  EXPECT_EQ(reached, distinct);
}

TEST(SearchSpace, ComputeIsAChoiceOfTheStem) {
  SearchSpaceOptions options = Small();
  options.layers = {1};
  const double size = SearchSpace(options, kTask).Size();
  options.compute = {"f32", "bf16"};
  const SearchSpace space(options, kTask);
  EXPECT_EQ(space.Size(), 2 * size);
  std::set<std::vector<int>> codes;
  std::set<Architecture> students;
  for (const Architecture& member : space.Enumerate(2000)) {
    EXPECT_EQ(Decode(space, Encode(space, member)), member);
    codes.insert(Encode(space, member));
    students.insert(WithoutPrecision(member));
  }
  EXPECT_EQ(static_cast<double>(codes.size()), space.Size());
  for (const Architecture& student : students) {
    EXPECT_EQ(student.stem.compute, Compute::kF32);
  }
  EXPECT_EQ(space.Largest()->stem.compute, Compute::kF32);
  std::set<Compute> reached;
  Architecture now = *space.Largest();
  for (int i = 0; i < 50; ++i) {
    Rng rng(9, i, "mutate");
    now = Mutate(space, now, 0.2, rng);
    reached.insert(now.stem.compute);
  }
  EXPECT_EQ(reached.size(), 2u);
  options.compute = {"bf16", "bf16"};
  EXPECT_THROW(SearchSpace(options, kTask), Error);
}

TEST(SearchSpace, NetworksThatReadVectorsHaveNoTable) {
  const auto refused = [](SearchSpaceOptions options) {
    options.heads = {4};
    try {
      const SearchSpace space(options, FeatureShape(7, 5, 16));
      FAIL();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("has no token table"),
                std::string::npos)
          << error.what();
    }
  };
  refused({.embedding = {"w8"}});
  refused({.embedding_rank = {0, 4}});
}

TEST(SearchSpace, RefusesKindsThatCannotBeCausal) {
  SearchSpaceOptions options;
  options.attention = {"full", "linformer:4"};
  const auto refused = [&](const TaskShape& task, const std::string& message) {
    try {
      const SearchSpace space(options, task);
      FAIL() << message;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  };
  refused(DecoderShape(50, 8), "space.attention[1]: linformer:4 mixes later");
  refused(TranslationShape(50, 8, 8), "in decoder_attention");
  options.attention = {"full:3"};
  refused(ClassifierShape(50, 2, 8), "divide none of heads 2, 4");
  options.attention = {"full"};
  options.decoder_attention = {"full"};
  refused(ClassifierShape(50, 2, 8), "space.decoder_attention");
}

}  // namespace
}  // namespace hone
