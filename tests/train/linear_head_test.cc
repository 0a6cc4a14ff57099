#include "train/distill/linear_head.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/rng.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

constexpr std::int64_t kRows = 120;
constexpr std::int64_t kWidth = 4;
constexpr std::int64_t kClasses = 3;

struct Examples {
  std::vector<float> features;
  std::vector<std::int64_t> labels;
};

// Noisy labels, so that the best weights are finite; columns of very different
// size and mean.
Examples MakeExamples() {
  Rng rng(5);
  Examples examples;
  for (std::int64_t i = 0; i < kRows; ++i) {
    const auto label = static_cast<std::int64_t>(rng.Below(kClasses));
    for (std::int64_t d = 0; d < kWidth; ++d) {
      const double own = d == label ? 1 : 0;
      examples.features.push_back(static_cast<float>(
          std::pow(10.0, d - 1) * (rng.Normal() + own) + 3 * d));
    }
    examples.labels.push_back(label);
  }
  return examples;
}

TrainingOptions Exact() {
  TrainingOptions options;
  options.steps = 4000;
  options.batch_size = kRows;
  options.learning_rate = 0.05;
  options.warmup_steps = 0;
  options.weight_decay = 0;
  options.clip_norm = 0;
  options.dropout = 0;
  return options;
}

NamedTensors Train(const Examples& examples, const TrainingOptions& options,
                   std::uint64_t seed = 1) {
  return TrainLinearHead(
      TensorData::FromFloats({kRows, kWidth}, examples.features),
      examples.labels, kClasses, options, seed, [](auto, auto) {});
}

// Class probabilities of a row, by plain loops.
std::vector<double> Probabilities(const NamedTensors& head, const float* x) {
  std::vector<double> p(kClasses);
  double sum = 0;
  for (std::int64_t c = 0; c < kClasses; ++c) {
    double logit = head.at("classifier.bias").data<float>()[c];
    for (std::int64_t d = 0; d < kWidth; ++d) {
      logit += static_cast<double>(
                   head.at("classifier.weight").data<float>()[c * kWidth + d]) *
               x[d];
    }
    sum += p[static_cast<std::size_t>(c)] = std::exp(logit);
  }
  for (double& one : p) one /= sum;
  return p;
}

// The loss is convex: where its gradient is zero is its minimum.
TEST(LinearHead, ReachesTheMinimumOfLogisticRegression) {
  const Examples examples = MakeExamples();
  const NamedTensors head = Train(examples, Exact());
  std::vector<double> gradient(kClasses * (kWidth + 1), 0);
  for (std::int64_t i = 0; i < kRows; ++i) {
    const float* x = examples.features.data() + i * kWidth;
    const std::vector<double> p = Probabilities(head, x);
    for (std::int64_t c = 0; c < kClasses; ++c) {
      const double residual =
          (p[static_cast<std::size_t>(c)] -
           (examples.labels[static_cast<std::size_t>(i)] == c)) /
          kRows;
      for (std::int64_t d = 0; d < kWidth; ++d) {
        // In units of the column.
        gradient[static_cast<std::size_t>(c * (kWidth + 1) + d)] +=
            residual * (x[d] - 3 * d) / std::pow(10.0, d - 1);
      }
      gradient[static_cast<std::size_t>(c * (kWidth + 1) + kWidth)] += residual;
    }
  }
  for (const double one : gradient) EXPECT_NEAR(one, 0, 1e-4);
}

TEST(LinearHead, ApplyingItGivesItsLogits) {
  const Examples examples = MakeExamples();
  const NamedTensors head = Train(examples, Exact());
  const TensorData logits = ApplyLinearHead(
      TensorData::FromFloats({kRows, kWidth}, examples.features), head);
  ASSERT_EQ(logits.shape, (std::vector<std::int64_t>{kRows, kClasses}));
  for (std::int64_t i = 0; i < kRows; ++i) {
    const std::vector<double> p =
        Probabilities(head, examples.features.data() + i * kWidth);
    const float* row = logits.data<float>() + i * kClasses;
    EXPECT_NEAR(row[1] - row[0], std::log(p[1] / p[0]), 1e-3);
    EXPECT_NEAR(row[2] - row[0], std::log(p[2] / p[0]), 1e-3);
  }
}

TEST(LinearHead, DoesNotDependOnTheScaleOfFeatures) {
  const Examples examples = MakeExamples();
  Examples other = examples;
  for (float& x : other.features) x = 64 * x + 7;
  const NamedTensors a = Train(examples, Exact());
  const NamedTensors b = Train(other, Exact());
  for (std::int64_t i = 0; i < kRows; ++i) {
    const auto p = Probabilities(a, examples.features.data() + i * kWidth);
    const auto q = Probabilities(b, other.features.data() + i * kWidth);
    for (std::size_t c = 0; c < p.size(); ++c) EXPECT_NEAR(p[c], q[c], 1e-3);
  }
}

TEST(LinearHead, SameSeedSameBytes) {
  const Examples examples = MakeExamples();
  TrainingOptions options = Exact();
  options.steps = 30;
  options.batch_size = 50;
  options.dropout = 0.3;
  EXPECT_EQ(Train(examples, options, 7), Train(examples, options, 7));
  EXPECT_NE(Train(examples, options, 7), Train(examples, options, 8));
}

TEST(LinearHead, AConstantFeatureDoesNoHarm) {
  Examples examples = MakeExamples();
  for (std::int64_t i = 0; i < kRows; ++i) {
    examples.features[static_cast<std::size_t>(i * kWidth)] = 2.5;
  }
  TrainingOptions options = Exact();
  options.steps = 100;
  const NamedTensors head = Train(examples, options);
  for (std::int64_t c = 0; c < kClasses; ++c) {
    EXPECT_EQ(head.at("classifier.weight").data<float>()[c * kWidth], 0);
    EXPECT_TRUE(std::isfinite(head.at("classifier.bias").data<float>()[c]));
  }
}

TEST(LinearHead, ThatDivergesSaysSo) {
  TrainingOptions options = Exact();
  options.learning_rate = 1e38;
  ExpectError(ErrorCode::kUsage, "lower teacher.training.learning_rate",
              [&] { Train(MakeExamples(), options); });
}

TEST(LinearHead, ReportsItsStepsAndStopsWhereTheReportThrows) {
  TrainingOptions options = Exact();
  options.steps = 30;
  const Examples examples = MakeExamples();
  std::vector<std::int64_t> seen;
  const auto train = [&](std::int64_t stop) {
    TrainLinearHead(TensorData::FromFloats({kRows, kWidth}, examples.features),
                    examples.labels, kClasses, options, 1,
                    [&](std::int64_t step, std::int64_t) {
                      if (step == stop) {
                        throw Error(ErrorCode::kCancelled, "stop");
                      }
                      seen.push_back(step);
                    });
  };
  train(-1);
  EXPECT_THAT(seen, ::testing::ElementsAre(10, 20, 30));
  ExpectError(ErrorCode::kCancelled, "stop", [&] { train(20); });
}

}  // namespace
}  // namespace hone
