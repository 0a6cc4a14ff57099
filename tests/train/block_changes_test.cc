#include "train/compress/block_changes.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/space/kinds.h"
#include "tests/train/random_data.h"
#include "train/compress/shrink.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

using testing::HasSubstr;

std::vector<Precision> Precisions() {
  return {Precision::kW8A8, Precision::kW4};
}

std::map<std::string, BlockChange> ByName(const Architecture& network) {
  std::map<std::string, BlockChange> changes;
  for (BlockChange& one : BlockChanges(network, Precisions())) {
    changes.emplace(one.kind + " " + one.block, std::move(one));
  }
  return changes;
}

TEST(BlockChanges, ChangeOneThingOfOneBlock) {
  const Architecture network =
      TranslationCase({32}, Precision::kF32).architecture;
  const auto changes = ByName(network);
  EXPECT_EQ(changes.size(), 6U * 5U);
  EXPECT_EQ(changes.at("w4 encoder.1").architecture.encoder[1].precision,
            Precision::kW4);
  EXPECT_FALSE(changes.at("w4 encoder.1").cut);
  EXPECT_EQ(changes.at("half the neurons decoder.0")
                .architecture.decoder[0]
                .feed_forward.width,
            32);
  const BlockSpec heads =
      changes.at("half the heads encoder.2").architecture.encoder[2];
  EXPECT_EQ(Heads(heads.attention), 2);
  EXPECT_EQ(heads.head_dim, 8);
  EXPECT_EQ(changes.at("rank 8 decoder.1").architecture.decoder[1].rank, 8);
  for (const auto& [name, one] : changes) {
    SCOPED_TRACE(name);
    EXPECT_EQ(one.drops_block, one.kind == "no block");
    const auto size = [](const Architecture& a) {
      return a.encoder.size() + a.decoder.size();
    };
    EXPECT_EQ(size(one.architecture), 5U - (one.drops_block ? 1 : 0));
    if (one.drops_block) continue;
    const auto before = AllBlocks(network);
    const auto after = AllBlocks(one.architecture);
    int changed = 0;
    for (std::size_t i = 0; i < 5; ++i) changed += before[i] != after[i];
    EXPECT_EQ(changed, 1);
    EXPECT_EQ(one.refusal, "");
  }
}

TEST(BlockChanges, SayWhyOneCannotBeMade) {
  // Its last decoder block sees two layers of the encoder.
  Architecture network = TranslationCase({32}, Precision::kF32).architecture;
  network.encoder.resize(2);
  network.encoder[0].attention = FullAttention{4, 1};
  network.decoder.resize(1);
  network.decoder[0].attention = MultiHead(1);
  network.decoder[0].cross->layers = 2;
  const auto changes = ByName(network);
  EXPECT_THAT(changes.at("half the heads encoder.0").refusal,
              HasSubstr("belong together"));
  EXPECT_THAT(changes.at("half the heads decoder.0").refusal,
              HasSubstr("there is one already"));
  EXPECT_THAT(changes.at("no block decoder.0").refusal,
              HasSubstr("the only one"));
  EXPECT_THAT(changes.at("no block encoder.0").refusal,
              HasSubstr("2 of 1 encoder blocks"));
  network.encoder[1].rank = 8;
  EXPECT_THAT(ByName(network).at("half the neurons encoder.0").refusal,
              HasSubstr("has a rank already"));
}

// A block that adds nothing to the stream can go, and no other.
TEST(WithoutBlock, MovesTheRestUp) {
  for (const std::string gone : {"encoder.0", "encoder.1", "decoder.1"}) {
    NetworkCase one = TranslationCase({32}, Precision::kF32);
    for (BlockSpec& block : one.architecture.decoder) block.cross->layers = 1;
    NamedTensors weights = InitialWeights(one.architecture, one.task, 3);
    for (auto& [name, tensor] : weights) {
      const bool writes = name.find(".output.") != std::string::npos ||
                          name.find(".down.") != std::string::npos;
      if (!writes || !name.starts_with(gone)) continue;
      std::fill_n(tensor.data<float>(), tensor.elements(), 0.F);
    }
    const Architecture smaller = WithoutBlock(one.architecture, gone);
    const NamedTensors cut = WithoutBlock(weights, gone);
    CheckWeights(cut, smaller, one.task, "cut");
    const TaskData data = RandomExamples(one.task, 6, 1);
    EXPECT_EQ(ComputeFlatLogits(smaller, one.task, cut, data, 4),
              ComputeFlatLogits(one.architecture, one.task, weights, data, 4));
    EXPECT_EQ(ShrinkNetwork(smaller, smaller, one.task, cut, data, {}, 1), cut);
  }
  const Architecture network =
      EncoderCase("full", {32}, Precision::kF32).architecture;
  EXPECT_THROW(WithoutBlock(network, "encoder.2"), std::exception);
}

}  // namespace
}  // namespace hone
