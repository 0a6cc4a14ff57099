#include "eval/decode/generate.h"

#include <cmath>
#include <limits>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/eval/decode_testing.h"
#include "tests/eval/fake_step_model.h"

namespace hone {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Texts = std::vector<std::vector<std::int64_t>>;

constexpr float kNever = -std::numeric_limits<float>::infinity();

TEST(Greedy, TakesTheSmallestOfEquals) {
  EXPECT_EQ(Greedy(std::vector<float>{1, 3, 2, 3}), 1);
  EXPECT_EQ(Greedy(std::vector<float>{-2}), 0);
  EXPECT_THROW(Greedy(std::vector<float>{1, std::nanf("")}), Error);
  EXPECT_THROW(Greedy(std::vector<float>{}), Error);
}

// Chi-square of 40,000 draws against `expected`; a draw of what should never
// come is infinitely far off.
double ChiSquare(const std::vector<float>& logits,
                 const GenerateOptions& options,
                 const std::vector<double>& expected) {
  constexpr int kDraws = 40000;
  std::vector<double> counts(logits.size());
  Rng rng(3, 0, "draws");
  for (int i = 0; i < kDraws; ++i) {
    ++counts[static_cast<std::size_t>(SampleToken(logits, options, rng))];
  }
  double sum = 0;
  for (std::size_t v = 0; v < counts.size(); ++v) {
    const double mean = kDraws * expected[v];
    if (counts[v] == 0 && mean == 0) continue;
    sum += (counts[v] - mean) * (counts[v] - mean) / mean;
  }
  return sum;
}

// Logits of the probabilities 0.1, 0.4, 0.05, 0.25, 0.2 and of a sixth token
// that never comes.
std::vector<float> KnownLogits() {
  std::vector<float> logits;
  for (const double p : {0.1, 0.4, 0.05, 0.25, 0.2}) {
    logits.push_back(static_cast<float>(std::log(p) + 7));
  }
  logits.push_back(kNever);
  return logits;
}

// The 99.9 % quantiles of chi-square with 1 to 4 degrees of freedom.
constexpr double kRare[] = {0, 10.83, 13.82, 16.27, 18.47};

TEST(SampleToken, FollowsTheSoftmax) {
  EXPECT_LT(ChiSquare(KnownLogits(), {.temperature = 1},
                      {0.1, 0.4, 0.05, 0.25, 0.2, 0}),
            kRare[4]);
}

TEST(SampleToken, TemperatureSharpensAndFlattens) {
  // Temperature 1/2 squares probabilities; 2 takes their roots.
  std::vector<double> squares = {0.01, 0.16, 0.0025, 0.0625, 0.04, 0};
  for (double& p : squares) p /= 0.275;
  EXPECT_LT(ChiSquare(KnownLogits(), {.temperature = 0.5}, squares), kRare[4]);
  std::vector<double> roots = {0.1, 0.4, 0.05, 0.25, 0.2, 0};
  double sum = 0;
  for (double& p : roots) sum += p = std::sqrt(p);
  for (double& p : roots) p /= sum;
  EXPECT_LT(ChiSquare(KnownLogits(), {.temperature = 2}, roots), kRare[4]);
  EXPECT_GT(ChiSquare(KnownLogits(), {.temperature = 2}, squares), 1000);
}

TEST(SampleToken, TopKKeepsTheLikeliest) {
  EXPECT_LT(ChiSquare(KnownLogits(), {.temperature = 1, .top_k = 2},
                      {0, 0.4 / 0.65, 0, 0.25 / 0.65, 0, 0}),
            kRare[1]);
  EXPECT_LT(ChiSquare(KnownLogits(), {.temperature = 1, .top_k = 100},
                      {0.1, 0.4, 0.05, 0.25, 0.2, 0}),
            kRare[4]);
}

TEST(SampleToken, TopPKeepsTheNucleus) {
  // 0.4 + 0.25 < 0.7 <= 0.4 + 0.25 + 0.2.
  EXPECT_LT(ChiSquare(KnownLogits(), {.temperature = 1, .top_p = 0.7},
                      {0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85, 0}),
            kRare[2]);
  EXPECT_EQ(ChiSquare(KnownLogits(), {.temperature = 1, .top_p = 1e-6},
                      {0, 1, 0, 0, 0, 0}),
            0);
}

TEST(SampleToken, CutsToTopKBeforeTopP) {
  // Of the two likeliest, 0.4 / 0.65 = 0.615 alone suffices for 0.6; of all,
  // it would not.
  EXPECT_EQ(
      ChiSquare(KnownLogits(), {.temperature = 1, .top_k = 2, .top_p = 0.6},
                {0, 1, 0, 0, 0, 0}),
      0);
}

TEST(SampleToken, EqualsAreCutFromTheEnd) {
  const std::vector<float> equal(8, 1.5f);
  EXPECT_LT(ChiSquare(equal, {.temperature = 1, .top_k = 3},
                      {1.0 / 3, 1.0 / 3, 1.0 / 3, 0, 0, 0, 0, 0}),
            kRare[2]);
  EXPECT_LT(ChiSquare(equal, {.temperature = 1, .top_p = 0.25},
                      {0.5, 0.5, 0, 0, 0, 0, 0, 0}),
            kRare[1]);
}

TEST(SampleToken, StandsExtremeLogits) {
  Rng rng(1);
  const GenerateOptions drawn = {.temperature = 1};
  EXPECT_EQ(SampleToken(std::vector<float>{-3e38f, 3e38f}, drawn, rng), 1);
  EXPECT_EQ(SampleToken(std::vector<float>{1, 2}, {.temperature = 1e-300}, rng),
            1);
  EXPECT_THROW(SampleToken(std::vector<float>{kNever, kNever}, drawn, rng),
               Error);
  EXPECT_THROW(SampleToken(std::vector<float>{0, -kNever}, drawn, rng), Error);
}

TEST(Generate, GreedyIsWhatItsDefinitionSays) {
  FakeStepModel model({});
  const std::vector<Prompt> prompts = SomePrompts(60, 11);
  const Texts texts = Generate(
      model, prompts, {.max_new_tokens = 20, .batch = 7, .end_token = 4}, 1);
  ASSERT_EQ(texts.size(), prompts.size());
  std::map<std::size_t, int> lengths;
  for (std::size_t k = 0; k < prompts.size(); ++k) {
    EXPECT_EQ(texts[k], GreedyByDefinition(model, prompts[k], 20, 4)) << k;
    ++lengths[texts[k].size()];
  }
  EXPECT_GT(lengths[20], 0);      // cut
  EXPECT_GT(lengths.size(), 5u);  // and ended at many places
  EXPECT_GT(lengths[0], 0);       // and at once
  EXPECT_EQ(model.calls.most_rows, 7);
}

TEST(Generate, BatchesDoNotChangeResults) {
  const std::vector<Prompt> prompts = SomePrompts(40, 11);
  for (const double temperature : {0.0, 0.8}) {
    GenerateOptions options = {.max_new_tokens = 15,
                               .temperature = temperature,
                               .top_k = 9,
                               .top_p = 0.95,
                               .batch = 1,
                               .end_token = 2};
    FakeStepModel model({});
    const Texts alone = Generate(model, prompts, options, 5);
    for (const std::int64_t batch : {2, 3, 16, 40, 1000}) {
      options.batch = batch;
      EXPECT_EQ(Generate(model, prompts, options, 5), alone) << batch;
    }
    // The first prompts do not notice that there are fewer of them.
    const std::vector<Prompt> fewer(prompts.begin(), prompts.begin() + 11);
    EXPECT_EQ(Generate(model, fewer, options, 5),
              Texts(alone.begin(), alone.begin() + 11));
  }
}

TEST(Generate, PlacesAreFilledAtOnce) {
  // Ends differ, so that waiting for the slowest of each batch would take many
  // more steps than keeping all places full.
  FakeStepModel model({});
  const std::vector<Prompt> prompts = SomePrompts(200, 11);
  const Texts texts = Generate(
      model, prompts, {.max_new_tokens = 40, .batch = 8, .end_token = 4}, 1);
  std::int64_t steps = 0;
  for (const auto& text : texts) {
    steps += static_cast<std::int64_t>(std::min<std::size_t>(
        text.size(), 39));  // the 40th new token is not read
  }
  const std::int64_t rows_read =
      steps + static_cast<std::int64_t>(prompts.size());
  EXPECT_EQ(model.calls.rows_extended, rows_read);
  const std::int64_t decode_calls = model.calls.extends - model.calls.starts;
  EXPECT_LE(decode_calls, steps / 8 + 40);
}

TEST(Generate, SeedsDiffer) {
  FakeStepModel model({});
  const std::vector<Prompt> prompts(3, {{}, {1}});
  const GenerateOptions options = {.max_new_tokens = 30, .temperature = 1};
  const Texts texts = Generate(model, prompts, options, 1);
  EXPECT_NE(texts[0], texts[1]);
  EXPECT_NE(texts, Generate(model, prompts, options, 2));
  EXPECT_EQ(texts, Generate(model, prompts, options, 1));
}

TEST(Generate, TextsHaveTheModelsDistribution) {
  constexpr std::size_t kTexts = 20000;
  FakeStepModel model({.vocabulary = 3, .spread = 2});
  const std::vector<Prompt> prompts(kTexts, {{2}, {0, 1}});
  const Texts texts =
      Generate(model, prompts,
               {.max_new_tokens = 2, .temperature = 1, .batch = 500}, 11);
  std::map<std::vector<std::int64_t>, double> counts;
  for (const auto& text : texts) ++counts[text];
  const auto softmax = [&](std::vector<std::int64_t> text) {
    std::vector<double> p;
    double sum = 0;
    for (const float x : model.Logits({2}, text)) {
      p.push_back(std::exp(static_cast<double>(x)));
      sum += p.back();
    }
    for (double& one : p) one /= sum;
    return p;
  };
  double chi_square = 0;
  for (std::int64_t a = 0; a < 3; ++a) {
    for (std::int64_t b = 0; b < 3; ++b) {
      const double mean = kTexts *
                          softmax({0, 1})[static_cast<std::size_t>(a)] *
                          softmax({0, 1, a})[static_cast<std::size_t>(b)];
      const double off = counts[{a, b}] - mean;
      chi_square += off * off / mean;
    }
  }
  EXPECT_LT(chi_square, 26.12);  // 99.9 % with 8 degrees of freedom
}

TEST(Generate, StopsWhereTheModelDoes) {
  FakeStepModel model({.max_tokens = 6});
  const std::vector<Prompt> prompts = {{{}, {1, 2}}, {{}, {1, 2, 3, 4, 5, 6}}};
  const Texts texts = Generate(model, prompts, {.max_new_tokens = 50}, 1);
  EXPECT_EQ(texts[0].size(), 5u);  // four that are read, and a last one
  EXPECT_EQ(texts[1].size(), 1u);
  EXPECT_EQ(texts[0], GreedyByDefinition(model, prompts[0], 50, {}));
}

TEST(Generate, NoPromptsNoTexts) {
  FakeStepModel model({});
  EXPECT_THAT(Generate(model, {}, {}, 1), IsEmpty());
  EXPECT_EQ(model.calls.starts, 0);
}

TEST(Generate, RefusesBadPrompts) {
  FakeStepModel model({.max_tokens = 3});
  const auto message = [&](const Prompt& second,
                           const GenerateOptions& options) {
    return MessageOf([&] { Generate(model, {{{}, {1}}, second}, options, 1); });
  };
  EXPECT_THAT(message({{}, {}}, {}), HasSubstr("prompt 1 has no tokens"));
  EXPECT_THAT(message({{}, {0, 1, 2, 3}}, {}),
              HasSubstr("prompt 1 has 4 tokens; the model reads at most 3"));
  EXPECT_THAT(message({{}, {0, 11}}, {}),
              HasSubstr("token 1 of prompt 1 is 11, outside the vocabulary"));
  EXPECT_THAT(message({{}, {-1}}, {}), HasSubstr("token 0 of prompt 1 is -1"));
  EXPECT_THAT(message({{}, {1}}, {.end_token = 11}),
              HasSubstr("the end token is 11"));
}

TEST(Generate, RefusesBadOptions) {
  FakeStepModel model({});
  const auto message = [&](const GenerateOptions& options) {
    return MessageOf([&] { Generate(model, {{{}, {1}}}, options, 1); });
  };
  EXPECT_THAT(message({.max_new_tokens = 0}), HasSubstr("max_new_tokens: 0"));
  EXPECT_THAT(message({.temperature = -1}), HasSubstr("temperature: -1"));
  EXPECT_THAT(message({.temperature = std::nan("")}), HasSubstr("temperature"));
  EXPECT_THAT(message({.top_k = -1}), HasSubstr("top_k: -1"));
  EXPECT_THAT(message({.top_p = 0}), HasSubstr("top_p: 0"));
  EXPECT_THAT(message({.top_p = 1.5}), HasSubstr("top_p: 1.5"));
  EXPECT_THAT(message({.batch = 0}), HasSubstr("batch: 0"));
}

}  // namespace
}  // namespace hone
