#include "eval/latency.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/base/rng.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

TEST(Quantile, KnownAnswers) {
  EXPECT_DOUBLE_EQ(Median({3, 1, 2}), 2);
  EXPECT_DOUBLE_EQ(Median({4, 1, 2, 3}), 2.5);
  EXPECT_DOUBLE_EQ(Median({7}), 7);
  // numpy.quantile([1, 2, 4, 8], q), the default method (type 7).
  EXPECT_DOUBLE_EQ(Quantile({8, 1, 4, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(Quantile({8, 1, 4, 2}, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(Quantile({8, 1, 4, 2}, 0.95), 7.4);
  EXPECT_DOUBLE_EQ(Quantile({8, 1, 4, 2}, 1), 8);
  EXPECT_THROW(Median({}), Error);
  EXPECT_THROW(Quantile({1}, 1.5), Error);
}

TEST(BootstrapMedian, OfEqualValuesIsAPoint) {
  const Interval interval = BootstrapMedian({2, 2, 2}, 1);
  EXPECT_EQ(interval.low, 2);
  EXPECT_EQ(interval.high, 2);
}

// A resample of {0, 0, 1} has median 1 with probability
// 3 (1/3)^2 (2/3) + (1/3)^3 = 7/27 = 26 %: far inside both tails of 2.5 %. Of
// nine values with one 1, five or more must be drawn: 0.14 %.
TEST(BootstrapMedian, KnownAnswers) {
  EXPECT_EQ(BootstrapMedian({0, 0, 1}, 1).low, 0);
  EXPECT_EQ(BootstrapMedian({0, 0, 1}, 1).high, 1);
  EXPECT_EQ(BootstrapMedian({0, 0, 0, 0, 0, 0, 0, 0, 1}, 1).high, 0);
}

// About 95 % of intervals hold the true median; the bounds are four standard
// errors of 300 draws, widened for the bias of the method at 15 values.
TEST(BootstrapMedian, CoversTheTrueMedian) {
  int covered = 0;
  constexpr int kRuns = 300;
  for (int run = 0; run < kRuns; ++run) {
    Rng rng(17, run, "coverage");
    std::vector<double> values(15);
    // Skewed, as times are: log-normal with median 1.
    for (double& value : values) value = std::exp(0.3 * rng.Normal());
    const Interval interval =
        BootstrapMedian(values, static_cast<std::uint64_t>(run));
    covered += interval.low <= 1 && 1 <= interval.high;
  }
  EXPECT_GE(covered, kRuns * 0.88);
  EXPECT_LE(covered, kRuns * 0.995);
}

// Runs that take as long as they are told and note the order of calls.
class Script {
 public:
  TimedRun Run(int who, std::function<double(int)> milliseconds) {
    return [this, who, milliseconds, call = 0]() mutable {
      calls_.push_back(who);
      return milliseconds(call++);
    };
  }
  // The order of calls with repetitions in a row left out.
  std::vector<int> Turns() const {
    std::vector<int> turns = calls_;
    turns.erase(std::unique(turns.begin(), turns.end()), turns.end());
    return turns;
  }
  const std::vector<int>& calls() const { return calls_; }

 private:
  std::vector<int> calls_;
};

MeasurementOptions Options(std::int64_t rounds, double round_milliseconds) {
  MeasurementOptions options;
  options.rounds = rounds;
  options.round_milliseconds = round_milliseconds;
  return options;
}

TEST(TimeInTurn, WarmsUpEachAloneAndThenInterleaves) {
  Script script;
  const auto constant = [](double ms) { return [ms](int) { return ms; }; };
  TimeInTurn({script.Run(0, constant(1)), script.Run(1, constant(2)),
              script.Run(2, constant(5))},
             Options(3, 10), 1);
  EXPECT_THAT(script.Turns(), ElementsAre(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2));
  // Two equal windows of warm-up and three rounds of 10, 5 and 3 inferences:
  // 10 ms or at least three.
  const auto& calls = script.calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), 0), 50);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), 1), 25);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), 2), 15);
}

TEST(TimeInTurn, WarmsUpUntilStable) {
  Script script;
  // Windows of three inferences: 20, 16, 12.8, ... 4 and then constant.
  const auto cooling = [](int call) {
    return std::max(4.0, 20 * std::pow(0.8, call / 3));
  };
  const auto latencies = TimeInTurn({script.Run(0, cooling)}, Options(3, 1), 1);
  EXPECT_THAT(latencies[0].rounds_ms, Each(4));
  EXPECT_EQ(latencies[0].p95_ms, 4);
}

TEST(TimeInTurn, GivesUpWaitingForStability) {
  Script script;
  const auto growing = [](int call) { return std::pow(1.1, call); };
  TimeInTurn({script.Run(0, growing)}, Options(3, 0.1), 1);
  EXPECT_EQ(script.calls().size(), 3u * (25 + 3));
}

TEST(TimeInTurn, SummarizesRounds) {
  Script script;
  // Constant through the warm-up (two windows of three), then rounds with
  // medians 10, 30, 20.
  const std::vector<double> times = {9,  9,  9, 9,  9,  9,  10, 10,
                                     99, 30, 1, 30, 20, 20, 20};
  const auto latencies = TimeInTurn(
      {script.Run(
          0,
          [&](int call) { return times.at(static_cast<std::size_t>(call)); })},
      Options(3, 1), 1);
  ASSERT_EQ(latencies.size(), 1u);
  EXPECT_THAT(latencies[0].rounds_ms, ElementsAre(10, 30, 20));
  EXPECT_EQ(latencies[0].median_ms, 20);
  EXPECT_EQ(latencies[0].low_ms, 10);
  EXPECT_EQ(latencies[0].high_ms, 30);
  // Sorted: 1 10 10 20 20 20 30 30 99; position 7.6.
  EXPECT_NEAR(latencies[0].p95_ms, 30 + 0.6 * 69, 1e-9);
}

// A model that records what it is given.
class FakeModel : public EngineModel {
 public:
  std::vector<float> Run(const ModelInput& input, std::int64_t batch,
                         std::int64_t length) override {
    const auto& tokens = std::get<std::vector<std::int64_t>>(input);
    inputs.push_back(tokens);
    EXPECT_EQ(static_cast<std::int64_t>(tokens.size()), batch * length);
    return {0};
  }
  std::vector<KernelCount> Kernels() const override { return {}; }
  std::int64_t MemoryBytes() const override { return 0; }

  std::vector<std::vector<std::int64_t>> inputs;
};

TEST(ClassifyRun, GivesEveryModelTheSameTokensOfTheVocabulary) {
  FakeModel one;
  FakeModel another;
  MeasurementOptions options = Options(3, 0.1);
  options.batch = 2;
  options.tokens = 50;
  const TaskShape task = ClassifierShape(9, 2, 50);
  const auto latencies = TimeInTurn({ClassifyRun(one, task, options, 4),
                                     ClassifyRun(another, task, options, 4)},
                                    options, 4);
  ASSERT_EQ(latencies.size(), 2u);
  EXPECT_EQ(latencies[0].rounds_ms.size(), 3u);
  EXPECT_LE(latencies[0].low_ms, latencies[0].median_ms);
  EXPECT_LE(latencies[0].median_ms, latencies[0].high_ms);
  EXPECT_THAT(one.inputs, Each(one.inputs[0]));
  EXPECT_THAT(another.inputs, Each(one.inputs[0]));
  const auto [low, high] =
      std::minmax_element(one.inputs[0].begin(), one.inputs[0].end());
  EXPECT_EQ(*low, 0);
  EXPECT_EQ(*high, 8);
  FakeModel third;
  ClassifyRun(third, task, options, 5)();
  EXPECT_NE(third.inputs[0], one.inputs[0]);
}

// A decoder that records what it reads.
class CountingBatch : public DecodeBatch {
 public:
  explicit CountingBatch(std::vector<std::int64_t>& counts) : counts_(counts) {}
  std::vector<float> Extend(const std::vector<std::int64_t>& tokens,
                            std::int64_t count) override {
    EXPECT_EQ(static_cast<std::int64_t>(tokens.size()), 2 * count);
    counts_.push_back(count);
    return {};
  }
  void Select(const std::vector<std::int64_t>&) override {}
  void Append(std::unique_ptr<DecodeBatch>) override {}
  void Truncate(const std::vector<std::int64_t>&) override {}

 private:
  std::vector<std::int64_t>& counts_;
};

class CountingDecoder : public StepModel {
 public:
  StepModelInfo Info() const override { return {9, 100}; }
  std::unique_ptr<DecodeBatch> Start(
      const std::vector<std::vector<std::int64_t>>& sources) override {
    source_tokens = sources.at(1).size();
    return std::make_unique<CountingBatch>(counts);
  }
  std::vector<std::int64_t> counts;
  std::size_t source_tokens = 0;
};

TEST(DecodeRun, ReadsThePromptThenTokensOneByOne) {
  MeasurementOptions options = Options(3, 0.1);
  options.batch = 2;
  options.tokens = 7;
  options.new_tokens = 4;
  CountingDecoder model;
  DecodeTimes times;
  DecodeRun(model, DecoderShape(9, 100), options, 1, times)();
  EXPECT_THAT(model.counts, ElementsAre(7, 1, 1, 1));
  EXPECT_EQ(model.source_tokens, 0u);
  EXPECT_EQ(times.prefill_ms.size(), 1u);
  EXPECT_EQ(times.per_token_ms.size(), 1u);
  model.counts.clear();
  DecodeRun(model, TranslationShape(9, 100, 100), options, 1, times)();
  EXPECT_THAT(model.counts, ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(model.source_tokens, 7u);
}

}  // namespace
}  // namespace hone
