#include "train/distill/layer_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/network/transformer.h"

namespace hone {
namespace {

const BlockSpec kBlock{MultiHead(2), {16}};

Architecture Encoder(std::size_t layers) {
  return {{8}, std::vector<BlockSpec>(layers, kBlock)};
}

Architecture Translator(std::size_t encoder, std::size_t decoder) {
  BlockSpec crossed = kBlock;
  crossed.cross = CrossAttentionSpec{2, 1};
  return {{8},
          std::vector<BlockSpec>(encoder, kBlock),
          std::vector<BlockSpec>(decoder, crossed)};
}

TEST(HiddenLayers, AreTheLastOnesByDefault) {
  EXPECT_TRUE(HiddenLayers(Encoder(2), Encoder(4), {}).empty());
  EXPECT_EQ(HiddenLayers(Encoder(2), Encoder(4), {.hidden_weight = 1}),
            (std::vector<LayerPair>{{kLastHiddenTap, kLastHiddenTap, false}}));
}

// ceil(i m / n): of three blocks beside six the second and fourth, of three
// beside two the first and second, of one none but the last.
TEST(HiddenLayers, AreAtEqualRelativeDepth) {
  const DistillationOptions options{.hidden_weight = 1,
                                    .hidden_layers = "uniform"};
  const LayerPair last{kLastHiddenTap, kLastHiddenTap, false};
  using Pairs = std::vector<LayerPair>;
  EXPECT_EQ(
      HiddenLayers(Encoder(3), Encoder(6), options),
      (Pairs{{"encoder.0", "encoder.1"}, {"encoder.1", "encoder.3"}, last}));
  EXPECT_EQ(
      HiddenLayers(Encoder(3), Encoder(2), options),
      (Pairs{{"encoder.0", "encoder.0"}, {"encoder.1", "encoder.1"}, last}));
  EXPECT_EQ(HiddenLayers(Encoder(1), Encoder(6), options), Pairs{last});
}

TEST(HiddenLayers, AreOfBothSidesOfATranslator) {
  const DistillationOptions options{.hidden_weight = 1,
                                    .hidden_layers = "uniform"};
  EXPECT_EQ(HiddenLayers(Translator(2, 2), Translator(2, 4), options),
            (std::vector<LayerPair>{{"encoder.0", "encoder.0", false},
                                    {"encoder.1", "encoder.1", false},
                                    {"decoder.0", "decoder.1", true},
                                    {kLastHiddenTap, kLastHiddenTap, true}}));
}

TEST(RelationLayers, AreOfTheLastBlocksOnEachSide) {
  EXPECT_TRUE(RelationLayers(Encoder(2), Encoder(4), {}).empty());
  const DistillationOptions options{.relation_weight = 1, .relation_layer = 2};
  const auto pairs =
      RelationLayers(Translator(1, 3), Translator(4, 2), options);
  ASSERT_EQ(pairs.size(), 6u);
  EXPECT_EQ(pairs[0], (LayerPair{"encoder.0.attention.query",
                                 "encoder.2.attention.query", false}));
  EXPECT_EQ(pairs[5], (LayerPair{"decoder.2.attention.value",
                                 "decoder.0.attention.value", true}));
}

TEST(RelationLayers, RefuseABlockThatTheTeacherLacks) {
  try {
    RelationLayers(Translator(2, 2), Translator(4, 2),
                   {.relation_weight = 1, .relation_layer = 3});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(),
                testing::HasSubstr("2 decoder blocks; use 1 to 2"));
  }
}

TEST(StudentTaps, AreThoseOfAllPairs) {
  EXPECT_EQ(StudentTaps(Encoder(2), Encoder(3),
                        {.hidden_weight = 1, .relation_weight = 1}),
            (std::set<std::string>{
                "encoder.1.attention.key", "encoder.1.attention.query",
                "encoder.1.attention.value", kLastHiddenTap}));
}

}  // namespace
}  // namespace hone
