#include "eval/decode/beam_search.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/decode/generate.h"
#include "tests/eval/decode_testing.h"
#include "tests/eval/fake_step_model.h"

namespace hone {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<double> LogSoftmax(const std::vector<float>& logits) {
  double sum = 0;
  for (const float one : logits) sum += std::exp(static_cast<double>(one));
  std::vector<double> result;
  for (const float one : logits) result.push_back(one - std::log(sum));
  return result;
}

// Every text that a prompt can be continued by, best score first.
class AllTexts {
 public:
  AllTexts(const FakeStepModel& model, const Prompt& prompt,
           const BeamOptions& options)
      : model_(model), prompt_(prompt), options_(options) {
    Visit({}, 0);
    std::sort(texts_.begin(), texts_.end(),
              [](const auto& a, const auto& b) { return a.score > b.score; });
  }
  const std::vector<Hypothesis>& texts() const { return texts_; }

 private:
  void Visit(const std::vector<std::int64_t>& added, double log_probability) {
    std::vector<std::int64_t> text = prompt_.tokens;
    text.insert(text.end(), added.begin(), added.end());
    const auto length = static_cast<double>(added.size() + 1);
    const double penalty = std::pow((5 + length) / 6, options_.length_penalty);
    const std::vector<double> next =
        LogSoftmax(model_.Logits(prompt_.source, text));
    for (std::size_t v = 0; v < next.size(); ++v) {
      const double sum = log_probability + next[v];
      const auto token = static_cast<std::int64_t>(v);
      if (token == options_.end_token) {
        texts_.push_back({added, sum, sum / penalty, true});
        continue;
      }
      std::vector<std::int64_t> longer = added;
      longer.push_back(token);
      if (static_cast<std::int64_t>(length) == options_.max_new_tokens) {
        texts_.push_back({longer, sum, sum / penalty, false});
      } else {
        Visit(longer, sum);
      }
    }
  }

  const FakeStepModel& model_;
  const Prompt& prompt_;
  const BeamOptions& options_;
  std::vector<Hypothesis> texts_;
};

void ExpectSame(const std::vector<Hypothesis>& actual,
                const std::vector<Hypothesis>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].tokens, expected[i].tokens) << i;
    EXPECT_NEAR(actual[i].log_probability, expected[i].log_probability, 1e-9);
    EXPECT_NEAR(actual[i].score, expected[i].score, 1e-9);
    EXPECT_EQ(actual[i].ended, expected[i].ended) << i;
  }
}

TEST(LengthPenalty, HandWorked) {
  EXPECT_DOUBLE_EQ(LengthPenalty(1, 0.6), 1);
  EXPECT_DOUBLE_EQ(LengthPenalty(7, 1), 2);
  EXPECT_DOUBLE_EQ(LengthPenalty(19, 0.5), 2);
  EXPECT_DOUBLE_EQ(LengthPenalty(19, 0), 1);
}

TEST(BeamSearch, AWideBeamIsExhaustive) {
  FakeStepModel model({.vocabulary = 4, .spread = 3});
  const std::vector<Prompt> prompts = SomePrompts(12, 4);
  for (const double alpha : {0.0, 0.6, 1.0, 2.0}) {
    for (const bool early_stop : {true, false}) {
      // 1 + 3 + 9 + 27 + 81 * 4 texts.
      const BeamOptions options = {.beam = 364,
                                   .hypotheses = 364,
                                   .length_penalty = alpha,
                                   .max_new_tokens = 5,
                                   .batch = 5,
                                   .early_stop = early_stop,
                                   .end_token = 1};
      const auto found = BeamSearch(model, prompts, options);
      for (std::size_t k = 0; k < prompts.size(); ++k) {
        const AllTexts all(model, prompts[k], options);
        ASSERT_EQ(all.texts().size(), 364u);
        ExpectSame(found[k], all.texts());
      }
    }
  }
}

TEST(BeamSearch, FindsTheOptimumAndStopsEarly) {
  const std::vector<Prompt> prompts = SomePrompts(12, 4);
  for (const double alpha : {0.0, 0.6, 1.0, 2.0}) {
    BeamOptions options = {.beam = 364,
                           .length_penalty = alpha,
                           .max_new_tokens = 5,
                           .end_token = 1};
    FakeStepModel model({.vocabulary = 4, .spread = 9});
    const auto found = BeamSearch(model, prompts, options);
    for (std::size_t k = 0; k < prompts.size(); ++k) {
      const AllTexts all(model, prompts[k], options);
      ExpectSame(found[k], {all.texts()[0]});
    }
  }
}

TEST(BeamSearch, BeamOneIsGreedy) {
  FakeStepModel model({});
  const std::vector<Prompt> prompts = SomePrompts(60, 11);
  const auto found = BeamSearch(
      model, prompts, {.beam = 1, .max_new_tokens = 20, .end_token = 4});
  const auto greedy =
      Generate(model, prompts, {.max_new_tokens = 20, .end_token = 4}, 1);
  std::set<bool> ended;
  for (std::size_t k = 0; k < prompts.size(); ++k) {
    ASSERT_EQ(found[k].size(), 1u);
    EXPECT_EQ(found[k][0].tokens, greedy[k]) << k;
    EXPECT_EQ(found[k][0].ended, greedy[k].size() < 20) << k;
    ended.insert(found[k][0].ended);
  }
  EXPECT_EQ(ended.size(), 2u);
}

TEST(BeamSearch, EqualLogitsGoToTheSmallestToken) {
  FakeStepModel model({.spread = 0});
  const auto found =
      BeamSearch(model, {{{}, {3}}}, {.beam = 1, .max_new_tokens = 3});
  EXPECT_EQ(found[0][0].tokens, (std::vector<std::int64_t>{0, 0, 0}));
}

// The search as its contract says, one text at a time, each read anew for each
// token.
std::vector<Hypothesis> BeamByDefinition(const FakeStepModel& model,
                                         const Prompt& prompt,
                                         const BeamOptions& options) {
  std::vector<Hypothesis> live(1);
  std::vector<Hypothesis> finished;
  for (std::int64_t length = 1; !live.empty(); ++length) {
    std::vector<Hypothesis> all;
    for (const Hypothesis& one : live) {
      std::vector<std::int64_t> text = prompt.tokens;
      text.insert(text.end(), one.tokens.begin(), one.tokens.end());
      const auto next = LogSoftmax(model.Logits(prompt.source, text));
      for (std::size_t v = 0; v < next.size(); ++v) {
        Hypothesis longer = one;
        longer.tokens.push_back(static_cast<std::int64_t>(v));
        longer.log_probability += next[v];
        longer.score = longer.log_probability /
                       std::pow((5.0 + static_cast<double>(length)) / 6,
                                options.length_penalty);
        all.push_back(longer);
      }
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
      return a.log_probability > b.log_probability;
    });
    all.resize(std::min(all.size(), static_cast<std::size_t>(options.beam)));
    live.clear();
    for (Hypothesis& one : all) {
      one.ended = one.tokens.back() == options.end_token;
      const bool cut = length == options.max_new_tokens;
      if (one.ended) one.tokens.pop_back();
      (one.ended || cut ? finished : live).push_back(one);
    }
  }
  std::sort(finished.begin(), finished.end(),
            [](const auto& a, const auto& b) { return a.score > b.score; });
  finished.resize(
      std::min(finished.size(), static_cast<std::size_t>(options.hypotheses)));
  return finished;
}

TEST(BeamSearch, IsWhatItsContractSays) {
  FakeStepModel model({});
  const std::vector<Prompt> prompts = SomePrompts(30, 11);
  for (const std::int64_t beam : {2, 5, 40}) {
    for (const std::int64_t hypotheses : {1, 3}) {
      for (const std::int64_t batch : {1, 4, 100}) {
        const BeamOptions options = {.beam = beam,
                                     .hypotheses = hypotheses,
                                     .length_penalty = 0.8,
                                     .max_new_tokens = 12,
                                     .batch = batch,
                                     .end_token = 4};
        const auto found = BeamSearch(model, prompts, options);
        for (std::size_t k = 0; k < prompts.size(); ++k) {
          ExpectSame(found[k], BeamByDefinition(model, prompts[k], options));
        }
      }
    }
  }
}

TEST(BeamSearch, StoppingEarlySavesStepsAndChangesNothing) {
  const std::vector<Prompt> prompts = SomePrompts(50, 11);
  for (const double alpha : {0.0, 0.6, 1.5}) {
    for (const std::int64_t hypotheses : {1, 4}) {
      BeamOptions options = {.beam = 4,
                             .hypotheses = hypotheses,
                             .length_penalty = alpha,
                             .max_new_tokens = 30,
                             .batch = 50,
                             .end_token = 4};
      FakeStepModel stopping({.spread = 6});
      const auto early = BeamSearch(stopping, prompts, options);
      options.early_stop = false;
      FakeStepModel running({.spread = 6});
      const auto late = BeamSearch(running, prompts, options);
      for (std::size_t k = 0; k < prompts.size(); ++k) {
        ExpectSame(early[k], late[k]);
      }
      // A high alpha leaves hope to the worst.
      const std::int64_t saved =
          running.calls.rows_extended - stopping.calls.rows_extended;
      EXPECT_GE(saved, alpha < 1 ? running.calls.rows_extended / 10 : 0);
    }
  }
}

TEST(BeamSearch, AWiderBeamIsLikelierOnAverage) {
  FakeStepModel model({});
  const std::vector<Prompt> prompts = SomePrompts(100, 11);
  double last = -1e9;
  for (const std::int64_t beam : {1, 2, 4, 16, 64}) {
    double sum = 0;
    for (const auto& found : BeamSearch(
             model, prompts,
             {.beam = beam, .length_penalty = 0, .max_new_tokens = 10})) {
      sum += found[0].log_probability;
    }
    EXPECT_GT(sum, last) << beam;
    last = sum;
  }
}

TEST(BeamSearch, StopsWhereTheModelDoes) {
  FakeStepModel model({.max_tokens = 5});
  const auto found = BeamSearch(model, {{{}, {1, 2}}, {{}, {1, 2, 3, 4, 5}}},
                                {.beam = 3, .hypotheses = 3});
  for (const Hypothesis& one : found[0]) EXPECT_EQ(one.tokens.size(), 4u);
  for (const Hypothesis& one : found[1]) EXPECT_EQ(one.tokens.size(), 1u);
  EXPECT_EQ(found[1].size(), 3u);
}

TEST(BeamSearch, RefusesBadInput) {
  FakeStepModel model({});
  const auto message = [&](const Prompt& prompt, const BeamOptions& options) {
    return MessageOf([&] { BeamSearch(model, {prompt}, options); });
  };
  EXPECT_THAT(message({{}, {}}, {}), HasSubstr("prompt 0 has no tokens"));
  EXPECT_THAT(message({{}, {1}}, {.beam = 0}), HasSubstr("beam: 0"));
  EXPECT_THAT(message({{}, {1}}, {.hypotheses = 0}), HasSubstr("hypotheses"));
  EXPECT_THAT(message({{}, {1}}, {.length_penalty = -1}),
              HasSubstr("length_penalty: -1"));
  EXPECT_THAT(message({{}, {1}}, {.max_new_tokens = 0}),
              HasSubstr("max_new_tokens: 0"));
  EXPECT_THAT(message({{}, {1}}, {.batch = 0}), HasSubstr("batch: 0"));
  EXPECT_THAT(message({{}, {1}}, {.end_token = -1}),
              HasSubstr("the end token is -1"));
  EXPECT_THAT(BeamSearch(model, {}, {}), IsEmpty());
}

}  // namespace
}  // namespace hone
