#include "search/expected_hypervolume.h"

#include <cmath>

#include <gtest/gtest.h>

#include "space/base/rng.h"

namespace hone {
namespace {

// A published one: standard normal below 1.96.
TEST(NormalBelow, KnownAnswers) {
  EXPECT_DOUBLE_EQ(NormalBelow(0), 0.5);
  EXPECT_NEAR(NormalBelow(1.959963985), 0.975, 1e-9);
  EXPECT_NEAR(NormalBelow(-1) + NormalBelow(1), 1, 1e-12);
}

// With one objective it is expected improvement (Jones et al. 1998, 15), worked
// by hand: best 0, mean 0, deviation 1 -> the density at 0.
TEST(ExpectedHypervolume, IsExpectedImprovementOfOneObjective) {
  const ExpectedHypervolume front({{0}, {3}}, {9});
  EXPECT_NEAR(front.Improvement({{0, 1}}), 0.3989422804, 1e-9);
  EXPECT_NEAR(front.Improvement({{-2, 0}}), 2, 1e-12);
}

// Without doubt it is the hypervolume that the point adds.
TEST(ExpectedHypervolume, OfAKnownPointIsItsHypervolume) {
  for (int run = 0; run < 200; ++run) {
    Rng rng(1, run, "known point");
    const std::size_t objectives = 1 + rng.Below(4);
    const Point reference(objectives, 0.9);
    const auto draw = [&] {
      Point point;
      for (std::size_t i = 0; i < objectives; ++i) {
        point.push_back(static_cast<double>(rng.Below(11)) / 10);  // with ties
      }
      return point;
    };
    std::vector<Point> points;
    for (std::uint64_t i = rng.Below(8); i > 0; --i) points.push_back(draw());
    const Point added = draw();
    std::vector<Belief> beliefs;
    for (const double value : added) beliefs.push_back({value, 0});
    const double before = Hypervolume(points, reference);
    const double improvement =
        ExpectedHypervolume(points, reference).Improvement(beliefs);
    points.push_back(added);
    EXPECT_NEAR(improvement, Hypervolume(points, reference) - before, 1e-12);
  }
}

// The mean over samples, within four of its standard errors.
TEST(ExpectedHypervolume, IsTheMeanOverSamples) {
  constexpr int kSamples = 4000;
  for (const std::size_t objectives : {2u, 3u, 4u}) {
    Rng rng(2, static_cast<std::int64_t>(objectives), "samples");
    const Point reference(objectives, 1.0);
    std::vector<Point> points(6, Point(objectives));
    for (Point& point : points) {
      for (double& value : point) value = rng.Uniform();
    }
    std::vector<Belief> beliefs(objectives);
    for (Belief& belief : beliefs) belief = {rng.Uniform() / 2, 0.3};
    const double before = Hypervolume(points, reference);
    double sum = 0, squares = 0;
    for (int i = 0; i < kSamples; ++i) {
      Point sample;
      for (const Belief& belief : beliefs) {
        sample.push_back(belief.mean + belief.deviation * rng.Normal());
      }
      points.push_back(sample);
      const double gain = Hypervolume(points, reference) - before;
      points.pop_back();
      sum += gain;
      squares += gain * gain;
    }
    const double mean = sum / kSamples;
    const double error =
        std::sqrt((squares / kSamples - mean * mean) / kSamples);
    EXPECT_NEAR(ExpectedHypervolume(points, reference).Improvement(beliefs),
                mean, 4 * error);
  }
}

}  // namespace
}  // namespace hone
