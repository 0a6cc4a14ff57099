#include "eval/latency_predictor.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "eval/simulated_evaluator.h"
#include "space/base/error.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(1000, 10, 32);

SearchSpace Space() {
  SearchSpaceOptions options;
  options.d_model = {32, 64, 128};
  options.layers = {1, 2, 3};
  options.feed_forward = {64, 128, 256};
  options.attention = {"full", "local:4"};
  return SearchSpace(options, kTask);
}

double Truth(const Architecture& architecture) {
  return SimulatedLatencyMs(architecture, kTask, 1, 16);
}

std::vector<Architecture> Sample(const SearchSpace& space, int count,
                                 std::int64_t stream) {
  Rng rng(1, stream, "networks");
  std::vector<Architecture> networks;
  for (int i = 0; i < count; ++i) networks.push_back(space.Sample(rng));
  return networks;
}

std::vector<MeasuredLatency> Measured(const std::vector<Architecture>& networks,
                                      double noise = 0) {
  Rng rng(2, 0, "noise");
  std::vector<MeasuredLatency> measured;
  for (const Architecture& one : networks) {
    measured.push_back({one, Truth(one) * (1 + noise * rng.Normal())});
  }
  return measured;
}

LatencyErrors ErrorsOf(const LatencyPredictor& predictor,
                       const std::vector<Architecture>& networks) {
  std::vector<double> predicted, truth;
  for (const Belief& belief : predictor.Predict(networks)) {
    predicted.push_back(belief.mean);
  }
  for (const Architecture& one : networks) truth.push_back(Truth(one));
  return Compare(predicted, truth);
}

// The simulated latency is additive but for the embedding, so a hundred
// networks tell of 10^6.
TEST(LatencyPredictor, LearnsAnAdditiveLatency) {
  const SearchSpace space = Space();
  const auto others = Sample(space, 200, 1);
  const LatencyPredictor exact(space, Measured(Sample(space, 100, 0)));
  EXPECT_LT(ErrorsOf(exact, others).mean_share, 0.005);
  EXPECT_GT(ErrorsOf(exact, others).rank_correlation, 0.999);
  // Noise of 2 % averages out.
  const LatencyPredictor noisy(space, Measured(Sample(space, 100, 0), 0.02));
  EXPECT_LT(ErrorsOf(noisy, others).mean_share, 0.012);
  EXPECT_NEAR(noisy.noise_share(), 0.02, 0.01);
}

// Networks of three blocks from single ones and stacks of six.
TEST(LatencyPredictor, LearnsFromStacks) {
  const SearchSpace space = Space();
  std::vector<Architecture> networks;
  Rng rng(1, 0, "stacks");
  for (int i = 0; i < 40; ++i) {
    const BlockStacks stacks = SampleStacks(space, i, rng);
    networks.push_back(stacks.single);
    networks.push_back(stacks.doubled);
  }
  const LatencyPredictor predictor(space, Measured(networks));
  EXPECT_LT(ErrorsOf(predictor, Sample(space, 200, 1)).mean_share, 0.05);
}

// Twins that it knows nothing of, and one more of another width: not both
// twins.
TEST(LatencyPredictor, AsksForWhatItDoubtsAndSpreads) {
  const SearchSpace space = Space();
  const auto strange = [&](std::int64_t width) {
    SearchSpaceOptions options = space.options();
    options.d_model = {width};
    Rng rng(3, 0, "strange");
    return SearchSpace(options, kTask).Sample(rng);
  };
  std::vector<Architecture> pool = Sample(space, 40, 0);
  const LatencyPredictor predictor(space, Measured(pool, 0.01));
  pool.insert(pool.end(), {strange(256), strange(256), strange(16)});
  const auto next = predictor.NextToMeasure(pool, 2);
  ASSERT_EQ(next.size(), 2u);
  EXPECT_EQ(std::max(next[0], next[1]), 42u);
  EXPECT_EQ(std::min(next[0], next[1]), 40u);
  EXPECT_EQ(predictor.NextToMeasure(pool, 99).size(), pool.size());
}

// What it asks for teaches it at least as much as random networks do.
TEST(LatencyPredictor, LearnsFasterFromWhatItAsksFor) {
  const SearchSpace space = Space();
  double asked_error = 0, random_error = 0;
  for (int run = 0; run < 5; ++run) {
    const auto others = Sample(space, 200, 100 + run);
    const auto pool = Sample(space, 200, 200 + run);
    std::vector<Architecture> asked(pool.begin(), pool.begin() + 12);
    while (asked.size() < 36) {
      const LatencyPredictor predictor(space, Measured(asked));
      for (const std::size_t place : predictor.NextToMeasure(pool, 8)) {
        asked.push_back(pool[place]);
      }
    }
    const std::vector<Architecture> random(pool.begin(), pool.begin() + 36);
    asked_error +=
        ErrorsOf(LatencyPredictor(space, Measured(asked)), others).mean_share;
    random_error +=
        ErrorsOf(LatencyPredictor(space, Measured(random)), others).mean_share;
  }
  EXPECT_LT(asked_error, random_error);
}

TEST(CostOfBlock, IsWhatABlockAdds) {
  const SearchSpace space = Space();
  Rng rng(1, 0, "stacks");
  for (int i = 0; i < 20; ++i) {
    const BlockStacks stacks = SampleStacks(space, i, rng);
    EXPECT_EQ(stacks.single.encoder.size(), 3u);
    EXPECT_EQ(stacks.doubled.encoder.size(), 6u);
    const BlockCost cost =
        CostOfBlock(stacks, Truth(stacks.single), Truth(stacks.doubled));
    Architecture one = stacks.single;
    one.encoder.resize(1);
    EXPECT_NEAR(cost.around + cost.block, Truth(one), 1e-9);
  }
}

TEST(SampleStacks, AlternatesSides) {
  SearchSpaceOptions options;
  const SearchSpace space(options, TranslationShape(1000, 32, 32));
  Rng rng(1, 0, "stacks");
  for (int i = 0; i < 4; ++i) {
    const BlockStacks stacks = SampleStacks(space, i, rng);
    EXPECT_EQ(stacks.decoder, i % 2 == 1);
    CheckArchitecture(stacks.doubled, "doubled");
    EXPECT_EQ(AllBlocks(stacks.doubled).size(),
              AllBlocks(stacks.single).size() + 2);
  }
}

// Ranks of b: 1 2.5 2.5 4; of a: 2 1 3 4. By hand: covariance 3 of
// sqrt(5 4.5).
TEST(Compare, KnownAnswers) {
  const LatencyErrors errors = Compare({2.2, 1, 3, 5}, {1, 2, 2, 4});
  EXPECT_NEAR(errors.mean_share, (1.2 + 0.5 + 0.5 + 0.25) / 4, 1e-12);
  EXPECT_NEAR(errors.largest_share, 1.2, 1e-12);
  EXPECT_NEAR(errors.rank_correlation, 3 / std::sqrt(5 * 4.5), 1e-12);
  EXPECT_NEAR(Compare({3, 2, 1}, {1, 2, 3}).rank_correlation, -1, 1e-12);
  EXPECT_EQ(Compare({3, 2, 1}, {2, 2, 2}).rank_correlation, 0);
}

}  // namespace
}  // namespace hone
