#include "eval/faster_layers.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/block_layers.h"

namespace hone {
namespace {

using enum LinearRole;

// Made-up ratios: 1, and what each layer adds that is not in f32.
class FakeTimes {
 public:
  explicit FakeTimes(std::map<LinearRole, double> added)
      : added_(std::move(added)),
        store_(folder_.path()),
        table_(store_, {{"engine", "fake"}},
               [this](const std::vector<Architecture>& networks) {
                 std::vector<ProbedLatency> latencies;
                 for (const Architecture& one : networks) {
                   latencies.push_back({1, Ratio(one)});
                 }
                 return latencies;
               }) {}

  const LatencyTable& table() const { return table_; }
  const std::vector<Architecture>& measured() const { return measured_; }
  // What is added where any layer is low-bit: the change of type before it.
  double any = 0;

 private:
  double Ratio(const Architecture& network) const {
    measured_.push_back(network);
    double ratio = 1;
    bool low = false;
    for (const BlockSpec& block : AllBlocks(network)) {
      for (const auto& [role, precision] : PrecisionsOf(block)) {
        if (precision.IsFloat()) continue;
        low = true;
        if (added_.contains(role)) ratio += added_.at(role);
      }
    }
    return low ? ratio + any : ratio;
  }

  std::map<LinearRole, double> added_;
  ScratchFolder folder_;
  ArtifactStore store_;
  LatencyTable table_;
  mutable std::vector<Architecture> measured_;
};

Architecture Encoder(const Precision& precision) {
  return {{32},
          {{MultiHead(2), {64}, precision}, {MultiHead(2), {64}, precision}}};
}

std::set<LinearRole> InF32(const BlockSpec& block) {
  std::set<LinearRole> roles;
  for (const auto& [role, precision] : PrecisionsOf(block)) {
    if (precision.IsFloat()) roles.insert(role);
  }
  return roles;
}

TEST(FasterLayers, ThoseThatAddTimeAreLeftInF32) {
  const FakeTimes times({{kOutput, 0.05}, {kDown, 0.03}, {kUp, -0.3}});
  const Architecture asked = Encoder(Precision::kW8A8);
  const Architecture made = WithF32WhereFaster(asked, times.table());
  for (const BlockSpec& block : made.encoder) {
    EXPECT_EQ(InF32(block), (std::set<LinearRole>{kOutput, kDown}));
    EXPECT_EQ(PrecisionOf(block, kUp), Precision::kW8A8);
  }
  CheckArchitecture(made, "made");
  EXPECT_EQ(LayersLeftInF32(asked, made),
            (std::vector<std::string>{
                "encoder.0.attention.output", "encoder.0.feed_forward.down",
                "encoder.1.attention.output", "encoder.1.feed_forward.down"}));
  // Equal blocks are one, alone in its network: as it is, four groups, all of
  // them, the two that gained.
  EXPECT_EQ(times.measured().size(), 7u);
  for (const Architecture& one : times.measured()) {
    EXPECT_EQ(one.encoder.size(), 1u);
  }
}

TEST(FasterLayers, WithinNoiseNothingChanges) {
  const FakeTimes times({{kOutput, 0.018}, {kUp, -0.05}});
  const Architecture asked = Encoder(Precision::kW4);
  EXPECT_EQ(WithF32WhereFaster(asked, times.table()), asked);
  EXPECT_TRUE(LayersLeftInF32(asked, asked).empty());
}

TEST(FasterLayers, NothingIsTimedWhereAllIsF32) {
  const FakeTimes times({{kOutput, 0.5}});
  const Architecture asked = Encoder(Precision::kF32);
  EXPECT_EQ(WithF32WhereFaster(asked, times.table()), asked);
  EXPECT_TRUE(times.measured().empty());
}

TEST(FasterLayers, AnEnvironmentTellsThemAgain) {
  const Architecture asked = Encoder(Precision::kW8A8);
  Architecture made = asked;
  made.encoder[1].precision = Precision::kF32;
  made.encoder[1].linears = {{kUp, Precision::kW8A8}};
  auto environment = PrecisionEntries(made);
  EXPECT_EQ(environment,
            (Environment{{"precision of encoder.0", "w8a8"},
                         {"precision of encoder.1", "f32 up=w8a8"}}));
  Measurement measured;
  measured.environment["engine"] = "one";
  EXPECT_EQ(ExportedArchitecture(asked, measured), asked);
  measured.environment.merge(environment);
  EXPECT_EQ(ExportedArchitecture(asked, measured), made);
  measured.environment["precision of encoder.0"] = "f99";
  EXPECT_THROW(ExportedArchitecture(asked, measured), Error);
  EXPECT_EQ(ExportedArchitecture(asked, Failure{"diverged", ""}), asked);
}

// No single group gains: only without any is the change of type saved.
TEST(FasterLayers, AllMayGoTogether) {
  FakeTimes times({});
  times.any = 0.2;
  const Architecture made =
      WithF32WhereFaster(Encoder(Precision::kW8A8), times.table());
  EXPECT_EQ(made, Encoder(Precision::kF32));
}

// Layers that were in f32 stay, and products keep what they are.
TEST(FasterLayers, MixedBlocksKeepTheirRest) {
  Architecture asked = Encoder(Precision::kW8A8);
  asked.encoder.resize(1);
  asked.encoder[0].linears[kQuery] = Precision::kF32;
  asked.encoder[0].products = AttentionProducts::kA8;
  const FakeTimes times({{kKey, 0.05}});
  const Architecture made = WithF32WhereFaster(asked, times.table());
  EXPECT_EQ(InF32(made.encoder[0]),
            (std::set<LinearRole>{kQuery, kKey, kValue}));
  EXPECT_EQ(made.encoder[0].products, AttentionProducts::kA8);
  EXPECT_EQ(LayersLeftInF32(asked, made),
            (std::vector<std::string>{"encoder.0.attention.key",
                                      "encoder.0.attention.value"}));
}

// A block stands beside one in f32 of the other side, which is a network.
TEST(FasterLayers, BothSidesOfATranslator) {
  Architecture asked = Encoder(Precision::kW8A8);
  BlockSpec block = asked.encoder[0];
  block.cross = CrossAttentionSpec{2, 2};
  asked.decoder = {block, block};
  const FakeTimes times({{kCrossKey, 0.1}, {kUp, 0.1}});
  const Architecture made = WithF32WhereFaster(asked, times.table());
  EXPECT_EQ(InF32(made.encoder[1]), (std::set<LinearRole>{kUp}));
  EXPECT_EQ(InF32(made.decoder[1]),
            (std::set<LinearRole>{kCrossKey, kCrossValue, kUp}));
  EXPECT_EQ(made.decoder[1].cross, asked.decoder[1].cross);
  for (const Architecture& one : times.measured()) {
    CheckArchitecture(one, "measured");
  }
}

}  // namespace
}  // namespace hone
