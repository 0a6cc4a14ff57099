#include "eval/decode/speculative.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/decode/generate.h"
#include "tests/eval/decode_testing.h"
#include "tests/eval/fake_step_model.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

// Decodes 200 prompts and checks every text against greedy decoding.
SpeculativeResult Checked(FakeStepModel& target, FakeStepModel& draft,
                          const SpeculativeOptions& options) {
  const std::vector<Prompt> prompts =
      SomePrompts(200, target.Info().vocabulary);
  const SpeculativeResult result =
      DecodeSpeculatively(target, draft, prompts, options);
  EXPECT_EQ(result.target_calls, target.calls.extends);
  EXPECT_EQ(result.draft_calls, draft.calls.extends);
  EXPECT_EQ(result.texts.size(), prompts.size());
  for (std::size_t k = 0; k < prompts.size(); ++k) {
    EXPECT_EQ(result.texts[k],
              GreedyByDefinition(target, prompts[k], options.max_new_tokens,
                                 options.end_token))
        << k;
  }
  return result;
}

TEST(Speculative, EqualsGreedyWhateverTheDraft) {
  for (const double dissent : {0.0, 0.2, 0.5, 1.0}) {
    for (const std::int64_t draft_tokens : {1, 2, 3, 4, 64}) {
      FakeStepModel target({});
      FakeStepModel draft({.dissent = dissent});
      const SpeculativeResult result = Checked(
          target, draft,
          {.draft_tokens = draft_tokens, .max_new_tokens = 12, .end_token = 4});
      if (dissent == 0) {
        EXPECT_GT(result.accepted, result.proposed / 8);
      }
      if (dissent == 1) {
        EXPECT_EQ(result.accepted, 0);
      }
      if (dissent > 0) {
        EXPECT_LT(result.accepted, result.proposed);
      }
      EXPECT_LE(result.draft_calls, result.proposed);
    }
  }
}

TEST(Speculative, ADraftThatIsAlwaysRightSavesMostCalls) {
  FakeStepModel target({});
  FakeStepModel draft({});
  // 25 tokens in rounds of 4 + 1.
  const SpeculativeResult result =
      Checked(target, draft, {.draft_tokens = 4, .max_new_tokens = 25});
  EXPECT_EQ(result.target_calls, 200 * 5);
  EXPECT_EQ(result.proposed, 200 * 20);
  EXPECT_EQ(result.accepted, 200 * 20);
  EXPECT_EQ(result.draft_calls, 200 * 20);
}

TEST(Speculative, ADraftThatIsNeverRightSavesNone) {
  FakeStepModel target({});
  FakeStepModel draft({.dissent = 1});
  const SpeculativeResult result =
      Checked(target, draft, {.draft_tokens = 4, .max_new_tokens = 25});
  EXPECT_EQ(result.target_calls, 200 * 25);
  // Towards the end there is less to propose: 3, 2, 1 and 0.
  EXPECT_EQ(result.proposed, 200 * (21 * 4 + 3 + 2 + 1));
  EXPECT_EQ(result.accepted, 0);
}

TEST(Speculative, AcceptanceIsTheShareOfAgreement) {
  FakeStepModel target({});
  FakeStepModel draft({.dissent = 0.3});
  // One proposal at a time: each is right with probability 0.7.
  const SpeculativeResult result =
      Checked(target, draft, {.draft_tokens = 1, .max_new_tokens = 40});
  EXPECT_NEAR(static_cast<double>(result.accepted) /
                  static_cast<double>(result.proposed),
              0.7, 0.03);
}

TEST(Speculative, ModelsMayReadLittle) {
  for (const std::int64_t draft_reads : {1, 2, 5, 9, 40}) {
    for (const std::int64_t target_reads : {4, 9, 12}) {
      FakeStepModel target({.max_tokens = target_reads});
      FakeStepModel draft({.max_tokens = draft_reads, .dissent = 0.2});
      Checked(target, draft, {.draft_tokens = 4, .max_new_tokens = 30});
    }
  }
}

TEST(Speculative, RefusesBadInput) {
  FakeStepModel model({});
  FakeStepModel other({.vocabulary = 12});
  const auto message = [&](StepModel& draft, const Prompt& prompt,
                           const SpeculativeOptions& options) {
    return MessageOf(
        [&] { DecodeSpeculatively(model, draft, {prompt}, options); });
  };
  EXPECT_THAT(message(other, {{}, {1}}, {}),
              HasSubstr("vocabulary of 12, the target one of 11"));
  EXPECT_THAT(message(model, {{}, {}}, {}), HasSubstr("has no tokens"));
  EXPECT_THAT(message(model, {{}, {1}}, {.draft_tokens = 0}),
              HasSubstr("draft_tokens: 0"));
  EXPECT_THAT(message(model, {{}, {1}}, {.max_new_tokens = 0}),
              HasSubstr("max_new_tokens: 0"));
}

}  // namespace
}  // namespace hone
