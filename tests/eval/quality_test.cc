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

// Answers each row with its length and its sum of tokens.
class SumModel : public EngineModel {
 public:
  std::vector<float> Run(const std::vector<std::int64_t>& tokens,
                         std::int64_t batch, std::int64_t length) override {
    largest_batch = std::max(largest_batch, batch);
    std::vector<float> logits;
    for (std::int64_t row = 0; row < batch; ++row) {
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < length; ++i) {
        sum += tokens[static_cast<std::size_t>(row * length + i)];
      }
      logits.push_back(static_cast<float>(length));
      logits.push_back(static_cast<float>(sum));
    }
    return logits;
  }
  std::vector<KernelCount> Kernels() const override { return {}; }
  std::int64_t MemoryBytes() const override { return 0; }

  std::int64_t largest_batch = 0;
};

TEST(RunModel, AnswersInTheOrderOfTheData) {
  TaskData data;
  std::vector<float> expected;
  for (std::int64_t row = 0; row < 23; ++row) {
    const std::int64_t length = 1 + row * 7 % 4;
    data.tokens.emplace_back(static_cast<std::size_t>(length), row);
    data.labels.push_back(0);
    expected.push_back(static_cast<float>(length));
    expected.push_back(static_cast<float>(length * row));
  }
  SumModel model;
  EXPECT_THAT(RunModel(model, data, 4, 2), ElementsAreArray(expected));
  EXPECT_EQ(model.largest_batch, 4);
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
