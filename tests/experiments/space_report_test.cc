#include "experiments/space_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/experiments/fixtures.h"

namespace hone {
namespace {

using testing::HasSubstr;

SearchSpaceOptions Space() {
  SearchSpaceOptions space;
  space.d_model = {32, 64};
  space.layers = {2};
  space.heads = {2, 4, 8};
  space.feed_forward = {64, 128};
  space.precision = {"f32"};
  return space;
}

// Two blocks; of `wide` and `many` all combinations in turn.
Trial Example(std::int64_t number, bool wide, int many, bool ffn) {
  Trial trial =
      Complete(number, wide ? 0.8 : 0.7, 1 + 0.5 * many);  // exact effects
  trial.architecture.stem.d_model = wide ? 64 : 32;
  const auto block = [&](bool with_many) {
    BlockSpec one;
    one.attention = MultiHead(with_many ? 4 : 2);
    one.feed_forward.width = ffn ? 128 : 64;
    return one;
  };
  trial.architecture.encoder = {block(many > 0), block(many > 1)};
  return trial;
}

// Accuracy follows from d_model alone, latency from the share of blocks with
// four heads; the feed-forward width is in balance and moves nothing.
std::vector<Trial> Balanced() {
  std::vector<Trial> trials;
  for (int i = 0; i < 24; ++i) {
    trials.push_back(Example(i, i % 2 == 1, i / 2 % 3, i / 6 % 2 == 1));
  }
  return trials;
}

const SpaceReport::Dimension& Named(const SpaceReport& report,
                                    const std::string& name) {
  for (const auto& dimension : report.dimensions) {
    if (dimension.name == name) return dimension;
  }
  throw std::out_of_range(name);
}

SpaceReport Report(const std::vector<Trial>& trials) {
  return ReportSpace(trials, ExampleStudy().objectives, Space(), {});
}

TEST(SpaceReportTest, SaysWhatMovesWhichObjective) {
  const SpaceReport report = Report(Balanced());
  EXPECT_EQ(report.trials, 24u);
  EXPECT_EQ(report.dimensions.size(), 3u);  // layers, precision: one choice
  const auto& width = Named(report, "d_model");
  EXPECT_NEAR(width.shares[0], 1, 1e-9);
  EXPECT_NEAR(width.shares[1], 0, 1e-9);
  const auto& heads = Named(report, "heads");
  EXPECT_NEAR(heads.shares[0], 0, 1e-9);
  EXPECT_NEAR(heads.shares[1], 1, 1e-9);
  EXPECT_TRUE(heads.reliable);
  EXPECT_NEAR(Named(report, "feed_forward").Most(), 0, 1e-9);
  EXPECT_EQ(report.dimensions.back().name, "feed_forward");
  EXPECT_THAT(SpacePage(report), HasSubstr("less than 1 %: feed_forward"));
}

// Latencies 1, 1.5, 2 with 0, 1 and 2 of 2 blocks of four heads: the mean with
// four is (1.5 / 2 + 2) / 1.5.
TEST(SpaceReportTest, MeansAreWeightedByBlocks) {
  const SpaceReport report = Report(Balanced());
  const auto& heads = Named(report, "heads");
  ASSERT_EQ(heads.choices.size(), 3u);
  EXPECT_EQ(heads.choices[1].word, "4");
  EXPECT_EQ(heads.choices[1].trials, 16u);
  EXPECT_NEAR(*heads.choices[1].means[1], (1.5 / 2 + 2) / 1.5, 1e-9);
  EXPECT_EQ(heads.choices[2].trials, 0u);  // in the spec, in no trial
  EXPECT_FALSE(heads.choices[2].means[1]);
  const auto& width = Named(report, "d_model");
  EXPECT_EQ(width.choices[0].trials, 12u);
  EXPECT_NEAR(*width.choices[0].means[0], 0.7, 1e-9);
}

TEST(SpaceReportTest, FewTrialsTellNothing) {
  const std::vector<Trial> all = Balanced();
  const SpaceReport report = Report({all.begin(), all.begin() + 6});
  EXPECT_FALSE(Named(report, "d_model").reliable);
  EXPECT_FALSE(Named(report, "feed_forward").varied);
  const std::string page = SpacePage(report);
  EXPECT_THAT(page, HasSubstr("too few"));
  EXPECT_THAT(page, HasSubstr("one choice"));
}

TEST(SpaceReportTest, FidelitiesAreNotMixed) {
  std::vector<Trial> trials = Balanced();
  Trial cheap = Complete(24, 0.1, 100);
  cheap.fidelity = Fidelity::kCost;
  trials.push_back(cheap);
  trials.push_back(Failed(25));
  EXPECT_EQ(Report(trials).trials, 24u);
  EXPECT_EQ(
      ReportSpace(trials, ExampleStudy().objectives, Space(), Fidelity::kCost)
          .trials,
      1u);
  EXPECT_THROW(Report({Failed(0)}), Error);
}

}  // namespace
}  // namespace hone
