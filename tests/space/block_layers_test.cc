#include "space/block_layers.h"

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/encoding.h"
#include "space/network/cost_ops.h"
#include "space/network/transformer.h"
#include "space/variation.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

const TaskShape kTask = ClassifierShape(100, 5, 16);
const Precision kF32 = Precision::kF32;
const Precision kW8A8 = Precision::kW8A8;
const Precision kW4 = Precision::kW4;

// What a network asks for: the linear layers of its blocks.
class ListingOps : public CostOps {
 public:
  Value Linear(const std::string& name, const Value& x,
               const LinearSpec& spec) {
    layers.insert_or_assign(name, spec);
    return CostOps::Linear(name, x, spec);
  }
  std::map<std::string, LinearSpec> layers;
};

std::map<std::string, LinearSpec> LayersOf(const Architecture& architecture,
                                           const TaskShape& task) {
  ListingOps ops;
  Transformer(ops, architecture, task, CostOps::Value{1, 4},
              CostOps::Value{1, 3});
  return ops.layers;
}

// A precision of its own for every layer.
BlockSpec AllDifferent(BlockSpec block) {
  const std::vector<Precision> every = EveryPrecision();
  LinearPrecisions precisions;
  for (const LinearRole role : LinearRolesOf(block)) {
    precisions[role] = every[static_cast<std::size_t>(role)];
  }
  SetPrecisions(precisions, block);
  return block;
}

TEST(BlockLayers, RolesAndSizesAreThoseOfTheNetwork) {
  for (const std::int64_t rank : {0, 5}) {
    BlockSpec block = BlockOf("full:2", 4, 48, kF32, Activation::kSwiglu);
    block.head_dim = 6;
    block.rank = rank;
    BlockSpec decoder = block;
    decoder.cross = CrossAttentionSpec{2, 1};
    const StemSpec stem{32};
    const Architecture architecture{
        stem, {AllDifferent(block)}, {AllDifferent(decoder)}};
    const auto layers = LayersOf(architecture, TranslationShape(50, 8, 8));
    std::size_t known = 0;
    for (const char* side : {"encoder.0.", "decoder.0."}) {
      const BlockSpec& spec = std::string(side) == "encoder.0."
                                  ? architecture.encoder[0]
                                  : architecture.decoder[0];
      for (const LinearRole role : LinearRolesOf(spec)) {
        const std::string name = side + Name(role);
        const LinearSize size = LinearSizeOf(stem, spec, role);
        const bool factored = IsFactored(rank, size.in, size.out);
        const LinearSpec& first = layers.at(factored ? name + ".reduce" : name);
        const LinearSpec& last = layers.at(factored ? name + ".expand" : name);
        EXPECT_EQ(first.in, size.in) << name;
        EXPECT_EQ(last.out, size.out) << name;
        EXPECT_EQ(first.precision, PrecisionOf(spec, role)) << name;
        EXPECT_EQ(last.precision, PrecisionOf(spec, role)) << name;
        known += factored ? 2 : 1;
      }
    }
    EXPECT_EQ(known, layers.size());
  }
}

TEST(BlockLayers, PrecisionsAreWrittenInOneWay) {
  const BlockSpec plain = BlockOf("full", 2, 8, kW8A8);
  LinearPrecisions precisions = PrecisionsOf(plain);
  EXPECT_EQ(precisions.size(), 6u);
  precisions[LinearRole::kDown] = kW4;
  BlockSpec block = BlockOf("full", 2, 8, kF32);
  SetPrecisions(precisions, block);
  EXPECT_EQ(block.precision, kW8A8);
  EXPECT_EQ(block.linears, (LinearPrecisions{{LinearRole::kDown, kW4}}));
  EXPECT_EQ(PrecisionText(block), "w8a8 down=w4");
  EXPECT_EQ(PrecisionsOf(block), precisions);
  // Of two that are equally many, that of the first layer.
  for (const LinearRole role :
       {LinearRole::kQuery, LinearRole::kKey, LinearRole::kUp}) {
    precisions[role] = kF32;
  }
  precisions[LinearRole::kDown] = kW8A8;
  SetPrecisions(precisions, block);
  EXPECT_EQ(PrecisionText(block), "f32 value=w8a8 output=w8a8 down=w8a8");
}

TEST(BlockLayers, PrecisionTextsAreReadAgain) {
  BlockSpec cross = BlockOf("full", 2, 8, kW8A8);
  cross.cross = CrossAttentionSpec{2, 1};
  cross.linears = {{LinearRole::kCrossKey, kW4}, {LinearRole::kKey, kF32}};
  for (const BlockSpec& block : {BlockOf("full", 2, 8, kW4), cross}) {
    BlockSpec read = block;
    read.precision = kF32;
    read.linears.clear();
    SetPrecisionText(PrecisionText(block), read);
    EXPECT_EQ(read, block) << PrecisionText(block);
  }
  BlockSpec plain = BlockOf("full", 2, 8, kF32);
  for (const char* text : {"", "w9", "f32 down", "f32 =w4", "f32 gate=w4",
                           "f32 cross.key=w4", "f32 down=", "f32 down=w4=w4"}) {
    EXPECT_THROW(SetPrecisionText(text, plain), Error) << text;
    EXPECT_EQ(plain, BlockOf("full", 2, 8, kF32)) << text;
  }
}

TEST(BlockLayers, CanonicalBlocksAreEqualWhereNetworksAre) {
  const StemSpec stem{32};
  std::set<BlockSpec> canonical;
  std::set<std::vector<std::string>> networks;
  for (const std::int64_t head_dim : {0, 8, 16}) {
    for (const std::int64_t rank : {0, 1, 11, 12, 15, 16, 40}) {
      for (const Precision& precision : {kF32, kW4}) {
        BlockSpec block = BlockOf("full", 4, 24, precision);
        block.head_dim = head_dim;
        block.rank = rank;
        const BlockSpec same = Canonical(stem, block);
        const auto layers = LayersOf({stem, {block}}, kTask);
        std::vector<std::string> network;
        for (const auto& [name, spec] : layers) {
          network.push_back(name + " " + std::to_string(spec.in) + " " +
                            std::to_string(spec.out) + " " +
                            Name(spec.precision));
        }
        EXPECT_EQ(LayersOf({stem, {same}}, kTask).size(), layers.size());
        canonical.insert(same);
        networks.insert(network);
      }
    }
  }
  EXPECT_EQ(canonical.size(), networks.size());
}

TEST(BlockLayers, JsonHasOnlyWhatDiffers) {
  BlockSpec block = BlockOf("full", 2, 8, kW8A8);
  block.linears = {{LinearRole::kQuery, kF32}, {LinearRole::kDown, kW4}};
  block.products = AttentionProducts::kA8;
  const Architecture architecture{{8}, {block}};
  const std::string text = CanonicalText(architecture);
  EXPECT_NE(
      text.find(
          R"("linears":{"attention.query":"f32","feed_forward.down":"w4"})"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find(R"("attention_products":"a8")"), std::string::npos);
  EXPECT_EQ(ArchitectureFromJson(ParseJson(text, "t"), "t"), architecture);
  EXPECT_EQ(ShortText(architecture),
            "d8 L1 [h2 f8 full products=a8 w8a8 query=f32 down=w4]");
  EXPECT_EQ(WithoutPrecision(architecture),
            (Architecture{{8}, {BlockOf("full", 2, 8, kF32)}}));
}

TEST(BlockLayers, RefusesWhatIsNotThereOrNotCanonical) {
  const auto refused = [](const BlockSpec& block, const std::string& message) {
    try {
      CheckArchitecture({{8}, {block}}, "a");
      FAIL() << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  };
  BlockSpec block = BlockOf("full", 2, 8, kF32);
  block.linears = {{LinearRole::kGate, kW4}};
  refused(block,
          "a.encoder[0].linears: the block has no layer "
          "'feed_forward.gate'");
  block.linears = {{LinearRole::kCrossKey, kW4}};
  refused(block, "'cross.key'");
  block.linears = {{LinearRole::kUp, kF32}};
  refused(block, "'f32', not 'f32 up=f32'");
  block.linears = {{LinearRole::kQuery, kW4},
                   {LinearRole::kKey, kW4},
                   {LinearRole::kValue, kW4},
                   {LinearRole::kOutput, kW4}};
  refused(block, "'w4 up=f32 down=f32'");
  block = BlockOf("linear", 2, 8, kF32);
  block.products = AttentionProducts::kA8;
  refused(block, "a.encoder[0].attention_products: linear attention");

  const auto bad_json = [](const std::string& from, const std::string& to,
                           const std::string& message) {
    BlockSpec one = BlockOf("full", 2, 8, kF32);
    one.linears = {{LinearRole::kDown, kW4}};
    std::string text = CanonicalText({{8}, {one}});
    text.replace(text.find(from), from.size(), to);
    try {
      ArchitectureFromJson(ParseJson(text, "t"), "t");
      FAIL() << to;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  };
  bad_json("feed_forward.down", "feed_forward.dwn",
           "did you mean 'feed_forward.down'");
  bad_json(R"("feed_forward.down":"w4")", R"("feed_forward.down":"w5")",
           "encoder[0].linears.feed_forward.down: ");
  bad_json(R"("feed_forward.down":"w4")", R"("feed_forward.down":4)",
           "a word is needed");
}

// Every layer of every block apart.
SearchSpaceOptions PerLinear() {
  SearchSpaceOptions options;
  options.d_model = {16};
  options.layers = {1};
  options.heads = {2};
  options.feed_forward = {16};
  options.activation = {"gelu", "swiglu"};
  options.precision = {"f32", "w8a8"};
  options.precision_of = "linear";
  return options;
}

// Ranks, heads and products.
SearchSpaceOptions Shapes() {
  SearchSpaceOptions options = PerLinear();
  options.precision_of = "block";
  options.activation = {"gelu"};
  options.d_model = {16, 24};
  options.layers = {1, 2};
  options.heads = {2, 4};
  options.precision = {"f32"};
  options.attention = {"full", "full:1", "linear"};
  options.rank = {0, 2, 8};
  options.head_dim = {0, 4, 8};
  options.attention_products = {"f32", "a8"};
  return options;
}

void ExpectSizeMembersCodesAndSamplesToAgree(const SearchSpace& space,
                                             int samples) {
  const std::vector<Architecture> members = space.Enumerate(100'000);
  EXPECT_EQ(static_cast<double>(members.size()), space.Size());
  std::set<Architecture> distinct;
  std::set<std::vector<int>> codes;
  for (const Architecture& member : members) {
    ASSERT_TRUE(space.Contains(member)) << ShortText(member);
    ASSERT_NO_THROW(CheckArchitecture(member, "member"));
    for (const BlockSpec& block : AllBlocks(member)) {
      EXPECT_EQ(Canonical(member.stem, block), block) << ShortText(member);
    }
    const std::vector<int> genes = Encode(space, member);
    EXPECT_EQ(Decode(space, genes), member);
    EXPECT_EQ(genes.size(), Encode(space, members.front()).size());
    distinct.insert(member);
    codes.insert(genes);
  }
  EXPECT_EQ(distinct.size(), members.size());
  EXPECT_EQ(codes.size(), members.size());
  std::set<Architecture> seen;
  for (int i = 0; i < samples; ++i) {
    Rng rng(5, i, "sample");
    const Architecture sample = space.Sample(rng);
    ASSERT_TRUE(distinct.contains(sample)) << ShortText(sample);
    seen.insert(sample);
  }
  if (static_cast<double>(samples) > 10 * space.Size()) {
    EXPECT_EQ(seen.size(), distinct.size());
  }
}

TEST(PerLinear, SizeMembersCodesAndSamplesAgree) {
  const SearchSpace space(PerLinear(), kTask);
  EXPECT_EQ(space.Size(), 64 + 128);
  ExpectSizeMembersCodesAndSamplesToAgree(space, 4000);
  SearchSpaceOptions options = PerLinear();
  options.precision = {"f32", "w8a8", "w4", "w2"};
  options.decoder_layers = {6};
  EXPECT_EQ(SearchSpace(options, TranslationShape(50, 8, 8)).Size(),
            (std::pow(4, 6) + std::pow(4, 7)) *
                std::pow(std::pow(4, 10) + std::pow(4, 11), 6));
}

TEST(PerLinear, BlocksOfOnePrecisionAreNotEverything) {
  SearchSpaceOptions options = PerLinear();
  options.precision_of = "block";
  const SearchSpace blocks(options, kTask);
  const SearchSpace linears(PerLinear(), kTask);
  for (const Architecture& member : blocks.Enumerate(100)) {
    EXPECT_TRUE(linears.Contains(member));
  }
  int mixed = 0;
  for (const Architecture& member : linears.Enumerate(1000)) {
    mixed += !blocks.Contains(member);
  }
  EXPECT_EQ(mixed, 64 + 128 - 4);
  // Written in another way it is no member.
  Architecture other = linears.Enumerate(1000).front();
  other.encoder[0].linears = {{LinearRole::kDown, other.encoder[0].precision}};
  EXPECT_FALSE(linears.Contains(other));
}

TEST(Shapes, SizeMembersCodesAndSamplesAgree) {
  SearchSpaceOptions options = Shapes();
  options.layers = {1};
  const SearchSpace space(options, kTask);
  ExpectSizeMembersCodesAndSamplesToAgree(space, 6000);
  // Rank 8 saves nothing at [16,16], so that it is rank 0 there.
  for (const Architecture& member : space.Enumerate(1000)) {
    const BlockSpec& block = member.encoder[0];
    EXPECT_TRUE(block.rank == 0 || HasFactoredLayer(member.stem, block));
    EXPECT_NE(block.head_dim * Heads(block.attention), member.stem.d_model);
  }
}

TEST(Shapes, MutationAndCrossoverReachAndStayInTheSpace) {
  for (const bool linear : {false, true}) {
    SearchSpaceOptions options = Shapes();
    options.precision = {"f32", "w8a8", "w4"};
    options.activation = {"gelu", "swiglu"};
    if (linear) options.precision_of = "linear";
    options.constraints = {"parameters <= 12000"};
    const SearchSpace space(options, kTask);
    std::set<std::int64_t> ranks, dims;
    std::set<AttentionProducts> products;
    std::map<LinearRole, std::set<Precision>> precisions;
    Rng start(2, 0, "start");
    Architecture parent = space.Sample(start);
    for (int i = 0; i < 2000; ++i) {
      Rng rng(2, i, "mutate");
      const Architecture child = Mutate(space, parent, 0.1, rng);
      ASSERT_TRUE(space.Contains(child)) << ShortText(child);
      ASSERT_NE(child, parent);
      const Architecture mixed = Crossover(space, parent, child, rng);
      ASSERT_TRUE(space.Contains(mixed)) << ShortText(mixed);
      ASSERT_EQ(Decode(space, Encode(space, mixed)), mixed);
      const BlockSpec& block = child.encoder[0];
      ranks.insert(block.rank);
      dims.insert(block.head_dim);
      products.insert(block.products);
      for (const auto& [role, precision] : PrecisionsOf(block)) {
        precisions[role].insert(precision);
      }
      if (i % 10 == 0) parent = child;
    }
    EXPECT_EQ(ranks.size(), 3u);
    EXPECT_EQ(dims.size(), 3u);
    EXPECT_EQ(products.size(), 2u);
    EXPECT_EQ(precisions.size(), 7u);
    for (const auto& [role, seen] : precisions) EXPECT_EQ(seen.size(), 3u);
  }
}

TEST(Shapes, AnchorsAreTheExtremes) {
  const SearchSpace space(Shapes(), kTask);
  EXPECT_EQ(ShortText(*space.Largest()), "d24 L2 [h4 f16 full e8 f32 x2]");
  EXPECT_EQ(ShortText(*space.Smallest()), "d16 L1 [h2 f16 full e4 r2 f32]");
}

// A spec that leaves these out draws as it did before there were any.
TEST(Shapes, WhatIsNotSearchedTakesNoDraw) {
  SearchSpaceOptions options = Shapes();
  options.rank = {2};
  options.head_dim = {4};
  options.attention_products = {"a8"};
  options.attention = {"full"};
  SearchSpaceOptions plain = options;
  plain.rank = {0};
  plain.head_dim = {0};
  plain.attention_products = {"f32"};
  const SearchSpace fixed(options, kTask), usual(plain, kTask);
  for (int i = 0; i < 100; ++i) {
    Rng one(3, i, "x"), two(3, i, "x");
    Architecture sample = fixed.Sample(one);
    for (BlockSpec& block : sample.encoder) {
      EXPECT_EQ(block.rank, 2);
      EXPECT_EQ(HeadDim(sample.stem, block), 4);
      EXPECT_EQ(block.products, AttentionProducts::kA8);
      block.rank = block.head_dim = 0;
      block.products = AttentionProducts::kF32;
    }
    EXPECT_EQ(sample, usual.Sample(two));
  }
}

TEST(Shapes, RefusesChoicesThatAreNone) {
  const auto refused = [](auto change, const std::string& message) {
    SearchSpaceOptions options = Shapes();
    change(options);
    try {
      const SearchSpace space(options, kTask);
      FAIL() << message;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  };
  using Options = SearchSpaceOptions;
  refused(
      [](Options& o) {
        o.rank = {0, 64};
      },
      "space.rank[1]: 64 saves no weights");
  refused([](Options& o) { o.rank = {}; }, "space.rank: at least one");
  refused([](Options& o) { o.head_dim = {4, 4}; }, "space.head_dim[1]: '4'");
  refused([](Options& o) { o.attention_products = {}; },
          "space.attention_products: at least one");
  refused([](Options& o) { o.attention = {"linear"}; },
          "space.attention_products: 'a8' is for full and local attention");
}

TEST(Shapes, RotaryHeadsAreEven) {
  SearchSpaceOptions options = Shapes();
  options.positions = {"rotary", "learned"};
  options.d_model = {12};
  options.head_dim = {0, 5, 6};
  options.rank = {0, 2};
  const SearchSpace space(options, kTask);
  for (const Architecture& member : space.Enumerate(100'000)) {
    ASSERT_NO_THROW(CheckArchitecture(member, "member"));
  }
}

}  // namespace
}  // namespace hone
