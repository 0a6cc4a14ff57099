#include "space/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <gtest/gtest.h>

#include "space/base/rng.h"

namespace hone {
namespace {

struct Sampled {
  GaussianProcess::Inputs inputs;
  std::vector<double> values;
};

template <typename Function>
Sampled SampleOf(Function function, int count, double noise,
                 std::int64_t stream) {
  Rng rng(1, stream, "gaussian process");
  Sampled sampled;
  for (int i = 0; i < count; ++i) {
    std::vector<double> input;
    for (int j = 0; j < 4; ++j) input.push_back(10 * rng.Uniform());
    sampled.values.push_back(function(input) + noise * rng.Normal());
    sampled.inputs.push_back(std::move(input));
  }
  return sampled;
}

double Plane(const std::vector<double>& x) { return 3 + 2 * x[0] - x[2]; }
double Waves(const std::vector<double>& x) {
  return 100 + 5 * std::sin(x[0] / 2) + x[1] * x[2] / 10;
}

// A plane goes on beyond what was seen of it.
TEST(GaussianProcess, ExtrapolatesAPlane) {
  const Sampled seen = SampleOf(Plane, 20, 0, 0);
  const GaussianProcess process(seen.inputs, seen.values);
  const std::vector<double> beyond = {14, 3, -2, 5};
  EXPECT_NEAR(process.Predict({beyond})[0].mean, Plane(beyond), 0.3);
}

TEST(GaussianProcess, LearnsAWave) {
  const Sampled seen = SampleOf(Waves, 120, 0, 0);
  const Sampled other = SampleOf(Waves, 100, 0, 1);
  const auto beliefs =
      GaussianProcess(seen.inputs, seen.values).Predict(other.inputs);
  double error = 0;
  for (std::size_t i = 0; i < beliefs.size(); ++i) {
    error += std::abs(beliefs[i].mean - other.values[i]) / 100;
  }
  EXPECT_LT(error, 0.5);  // the mean of |value - mean value| is 3
}

// 95 % intervals of new observations hold about so many of them, and the noise
// is found.
TEST(GaussianProcess, KnowsWhatItDoesNotKnow) {
  constexpr double kNoise = 0.7;
  int covered = 0;
  double noise = 0;
  for (int run = 0; run < 10; ++run) {
    const Sampled seen = SampleOf(Waves, 60, kNoise, 2 * run);
    const Sampled other = SampleOf(Waves, 40, kNoise, 2 * run + 1);
    const GaussianProcess process(seen.inputs, seen.values);
    noise += process.noise() / 10;
    const auto beliefs = process.Predict(other.inputs);
    for (std::size_t i = 0; i < beliefs.size(); ++i) {
      const double deviation =
          std::hypot(beliefs[i].deviation, process.noise());
      covered +=
          std::abs(beliefs[i].mean - other.values[i]) <= 1.96 * deviation;
    }
  }
  EXPECT_NEAR(noise, kNoise, 0.2);
  EXPECT_GE(covered, 360);
  EXPECT_LE(covered, 396);
}

// Whoever has seen one value of a column cannot know what others do.
TEST(GaussianProcess, DoubtsWhatNeverVaried) {
  Sampled seen = SampleOf(Plane, 20, 0, 0);
  for (std::vector<double>& input : seen.inputs) input.push_back(1);
  std::vector<double> known = seen.inputs[3];
  std::vector<double> other = known;
  other.back() = 0;
  const auto deviations = [&](const GaussianProcess::Inputs& others) {
    const auto beliefs = GaussianProcess(seen.inputs, seen.values, {}, others)
                             .Predict({known, other});
    return std::pair(beliefs[0].deviation, beliefs[1].deviation);
  };
  const auto [alone_known, alone_other] = deviations({});
  EXPECT_DOUBLE_EQ(alone_known, alone_other);
  const auto [told_known, told_other] = deviations({other, known});
  EXPECT_GT(told_other, 3 * told_known);
}

// A wave of three columns is learned in spite of ten that hardly matter, and
// better where it is known which those may be.
TEST(GaussianProcess, MinorColumnsMayCountForLess) {
  const auto sample = [](int count, std::int64_t stream) {
    Sampled sampled = SampleOf(Waves, count, 0, stream);
    Rng rng(1, stream, "minor columns");
    for (std::vector<double>& input : sampled.inputs) {
      for (int j = 0; j < 10; ++j) input.push_back(rng.Uniform());
    }
    return sampled;
  };
  const Sampled seen = sample(60, 0);
  const Sampled other = sample(100, 1);
  std::vector<bool> minor(14);
  std::fill(minor.begin() + 4, minor.end(), true);
  const auto error = [&](const std::vector<bool>& columns) {
    const auto beliefs =
        GaussianProcess(seen.inputs, seen.values, {}, {}, columns)
            .Predict(other.inputs);
    double sum = 0;
    for (std::size_t i = 0; i < beliefs.size(); ++i) {
      sum += std::abs(beliefs[i].mean - other.values[i]) / 100;
    }
    return sum;
  };
  EXPECT_LT(error(minor), 0.7 * error({}));
  EXPECT_DOUBLE_EQ(error(std::vector<bool>(14)), error({}));
}

TEST(GaussianProcess, DoubtsMoreFarFromWhatItSaw) {
  const Sampled seen = SampleOf(Waves, 60, 0.1, 0);
  const GaussianProcess process(seen.inputs, seen.values);
  const double near = process.Predict({seen.inputs[7]})[0].deviation;
  const double far = process.Predict({{25, -9, 30, -20}})[0].deviation;
  EXPECT_GT(far, 5 * near);
}

// One observation more is what a second fit would make of it, but for the
// scaling: here the mean and the spread stay nearly as they are.
TEST(GaussianProcess, AddsWithoutFittingAgain) {
  const Sampled seen = SampleOf(Waves, 60, 0.1, 0);
  GaussianProcess process(seen.inputs, seen.values);
  const GaussianProcess before = process;
  const std::vector<double> there = {5, 5, 5, 11};
  const Belief guess = process.Predict({there})[0];
  process.Add(there, guess.mean);
  const Belief after = process.Predict({there})[0];
  EXPECT_NEAR(after.mean, guess.mean, 1e-6);
  EXPECT_LT(after.deviation, guess.deviation);
  process.Add(there, guess.mean + 1);
  EXPECT_GT(process.Predict({there})[0].mean, guess.mean + 0.1);
  EXPECT_EQ(before.Predict({there})[0].mean, guess.mean);
}

// With noise of one in a thousand, the mean goes through what was added.
TEST(GaussianProcess, AddingEqualsFitting) {
  const Sampled seen = SampleOf(Plane, 40, 0, 0);
  GaussianProcess added({seen.inputs.begin(), seen.inputs.begin() + 30},
                        {seen.values.begin(), seen.values.begin() + 30});
  for (std::size_t i = 30; i < 40; ++i) {
    added.Add(seen.inputs[i], seen.values[i]);
  }
  const GaussianProcess fitted(seen.inputs, seen.values);
  const std::vector<double> there = {1, 9, 2, 8};
  EXPECT_NEAR(added.Predict({there})[0].mean, fitted.Predict({there})[0].mean,
              0.05);
}

TEST(GaussianProcess, TakesEqualValuesAndConstantColumns) {
  const GaussianProcess process({{1, 2}, {1, 3}, {1, 2}}, {4, 4, 4});
  EXPECT_NEAR(process.Predict({{1, 9}})[0].mean, 4, 1e-6);
  EXPECT_TRUE(std::isfinite(process.Predict({{2, 9}})[0].deviation));
  EXPECT_NEAR(GaussianProcess({{1, 2}}, {4}).Predict({{5, 5}})[0].mean, 4,
              1e-6);
}

}  // namespace
}  // namespace hone
