#include "eval/quality.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"

namespace hone {
namespace {

using ::testing::ElementsAreArray;

// Logits whose largest entry is at each given class.
std::vector<float> Predicting(const std::vector<std::int64_t>& predictions,
                              std::int64_t classes) {
  std::vector<float> logits;
  for (const std::int64_t best : predictions) {
    for (std::int64_t c = 0; c < classes; ++c) {
      logits.push_back(c == best ? -1.0f : -2.0f);
    }
  }
  return logits;
}

struct ClassificationQuality {
  double accuracy = 0;
  double macro_f1 = 0;
};

ClassificationQuality QualityOf(const std::vector<float>& logits,
                                const std::vector<std::int64_t>& labels,
                                std::int64_t classes) {
  QualityMeter meter(Topology::kEncoder, classes);
  meter.Add(logits, labels);
  const auto metrics = meter.Metrics(0);
  return {metrics.at("accuracy").value, metrics.at("macro_f1").value};
}

TEST(QualityOf, HandWorked) {
  // Class 0: precision 2/3, recall 2/2, F1 4/5. Class 1: 1/2, 1/3, 2/5.
  // Class 2: 0 of 1 right. Class 3 never occurs and is left out.
  const std::vector<std::int64_t> labels = {0, 0, 1, 1, 1, 2};
  const std::vector<std::int64_t> predictions = {0, 0, 1, 0, 3, 1};
  const ClassificationQuality quality =
      QualityOf(Predicting(predictions, 4), labels, 4);
  EXPECT_DOUBLE_EQ(quality.accuracy, 3.0 / 6);
  EXPECT_DOUBLE_EQ(quality.macro_f1, (0.8 + 0.4 + 0.0) / 3);
}

TEST(QualityOf, PerfectPredictions) {
  const ClassificationQuality quality =
      QualityOf(Predicting({2, 0, 2}, 3), {2, 0, 2}, 3);
  EXPECT_EQ(quality.accuracy, 1);
  EXPECT_EQ(quality.macro_f1, 1);
}

TEST(QualityOf, RefusesLogitsOfAnotherSize) {
  EXPECT_THROW(QualityOf({1, 2, 3}, {0, 1}, 2), Error);
  EXPECT_THROW(QualityOf({}, {}, 2), Error);
}

TEST(QualityMeter, AddsUpBatches) {
  const std::vector<std::int64_t> labels = {0, 0, 1, 1, 1, 2};
  const auto logits = Predicting({0, 0, 1, 0, 3, 1}, 4);
  QualityMeter meter(Topology::kEncoder, 4);
  meter.Add({logits.data(), 8}, {labels.data(), 2});
  meter.Add({logits.data() + 8, 16}, {labels.data() + 2, 4});
  EXPECT_DOUBLE_EQ(meter.Metrics(0).at("accuracy").value, 0.5);
  EXPECT_DOUBLE_EQ(meter.Metrics(0).at("macro_f1").value, 0.4);
}

TEST(QualityMeter, NatsOfADecoder) {
  // Probabilities 1/4 and 3/4, and a place without a label.
  const std::vector<float> logits = {0, std::log(3.0F), 0, std::log(3.0F), 9,
                                     9};
  const std::vector<std::int64_t> labels = {0, 1, kNoLabel};
  QualityMeter meter(Topology::kDecoder, 2);
  meter.Add(logits, labels);
  const auto metrics = meter.Metrics(4);
  const double nats = std::log(4.0) + std::log(4.0 / 3);
  EXPECT_NEAR(metrics.at("nats_per_token").value, nats / 2, 1e-6);
  EXPECT_NEAR(metrics.at("perplexity").value, std::exp(nats / 2), 1e-6);
  EXPECT_NEAR(metrics.at("bits_per_character").value, nats / 4 / std::log(2.0),
              1e-6);
}

TEST(LanguageQualityOf, HandWorked) {
  // 6 tokens of probability 1/8 each, 18 characters.
  const LanguageQuality quality = LanguageQualityOf(6 * std::log(8.0), 6, 18);
  EXPECT_DOUBLE_EQ(quality.nats_per_token, std::log(8.0));
  EXPECT_DOUBLE_EQ(quality.bits_per_token, 3);
  EXPECT_DOUBLE_EQ(quality.perplexity, 8);
  EXPECT_DOUBLE_EQ(quality.nats_per_character, std::log(2.0));
  EXPECT_DOUBLE_EQ(quality.bits_per_character, 1);
}

TEST(LanguageQualityOf, CertainAndImpossible) {
  EXPECT_EQ(LanguageQualityOf(0, 3, 9).perplexity, 1);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(LanguageQualityOf(infinity, 3, 9).perplexity, infinity);
}

TEST(LanguageQualityOf, RefusesNoTextAndBadLosses) {
  EXPECT_THROW(LanguageQualityOf(1, 0, 5), Error);
  EXPECT_THROW(LanguageQualityOf(1, 5, 0), Error);
  EXPECT_THROW(LanguageQualityOf(-1, 5, 5), Error);
  EXPECT_THROW(LanguageQualityOf(std::nan(""), 5, 5), Error);
}

}  // namespace
}  // namespace hone
