#include "eval/bleu.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"

namespace hone {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const BleuOptions kPlain = {.tokenizer = "none", .smoothing = "none"};

TEST(CorpusBleu, ClipsAsPapineniDoes) {
  // Example 2 of Papineni et al. 2002: 2 of 7, since its reference has "the"
  // twice.
  const BleuScore bleu = CorpusBleu({"the the the the the the the"},
                                    {"the cat is on the mat"}, kPlain);
  EXPECT_THAT(bleu.matches, ElementsAre(2, 0, 0, 0));
  EXPECT_THAT(bleu.totals, ElementsAre(7, 6, 5, 4));
  EXPECT_EQ(bleu.brevity_penalty, 1);
  EXPECT_EQ(bleu.score, 0);
  // Smoothed: 2/7, 1/2 of 1/6, 1/4 of 1/5, 1/8 of 1/4.
  const BleuScore smoothed =
      CorpusBleu({"the the the the the the the"}, {"the cat is on the mat"},
                 {.tokenizer = "none"});
  EXPECT_NEAR(smoothed.score, 100 * std::pow(2.0 / 7 / 12 / 20 / 32, 0.25),
              1e-9);
}

TEST(CorpusBleu, HandWorked) {
  // "a b c d e x": 5/6, 4/5, 3/4, 2/3 with "a b c d e f g h", 6 of 8 tokens.
  const BleuScore bleu =
      CorpusBleu({"a b c d e x"}, {"a b c d e f g h"}, kPlain);
  EXPECT_THAT(bleu.matches, ElementsAre(5, 4, 3, 2));
  EXPECT_THAT(bleu.totals, ElementsAre(6, 5, 4, 3));
  EXPECT_DOUBLE_EQ(bleu.precisions[2], 75);
  EXPECT_EQ(bleu.hypothesis_tokens, 6);
  EXPECT_EQ(bleu.reference_tokens, 8);
  EXPECT_DOUBLE_EQ(bleu.brevity_penalty, std::exp(1 - 8.0 / 6));
  EXPECT_NEAR(bleu.score, 100 * std::exp(1 - 8.0 / 6) * std::pow(1.0 / 3, 0.25),
              1e-9);
}

TEST(CorpusBleu, SumsCountsOverTheCorpus) {
  // Alone, the second would score 0; together they have 8/9, 6/7, 4/5, 2/3.
  const BleuScore bleu =
      CorpusBleu({"a b c d e", "f g h x"}, {"a b c d e", "f g h i"}, kPlain);
  EXPECT_THAT(bleu.matches, ElementsAre(8, 6, 4, 2));
  EXPECT_THAT(bleu.totals, ElementsAre(9, 7, 5, 3));
  EXPECT_NEAR(bleu.score, 100 * std::pow(8.0 / 9 * 6 / 7 * 4 / 5 * 2 / 3, 0.25),
              1e-9);
}

TEST(CorpusBleu, Ends) {
  EXPECT_NEAR(
      CorpusBleu({"Die Katze sitzt da."}, {"Die Katze sitzt da."}, {}).score,
      100, 1e-9);
  EXPECT_EQ(CorpusBleu({""}, {"a b c d"}, {}).score, 0);
  EXPECT_EQ(CorpusBleu({""}, {"a b c d"}, {}).brevity_penalty, 0);
  EXPECT_EQ(CorpusBleu({"a b c d"}, {""}, {}).score, 0);
  // No 4-grams: 0 even when smoothed, without effective_order.
  EXPECT_EQ(CorpusBleu({"a b c"}, {"a b c"}, {}).score, 0);
}

TEST(CorpusBleu, LowercaseBeyondAscii) {
  const BleuOptions lower = {.tokenizer = "none", .lowercase = true};
  EXPECT_NEAR(
      CorpusBleu({"ÄPFEL Im GARTEN ЖДУТ"}, {"äpfel im garten ждут"}, lower)
          .score,
      100, 1e-9);
}

TEST(CorpusBleu, RefusesBadInput) {
  const auto message = [](const std::vector<std::string>& hypotheses,
                          const BleuOptions& options) {
    try {
      CorpusBleu(hypotheses, {"a"}, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return std::string(error.what());
    }
    return std::string("nothing thrown");
  };
  EXPECT_THAT(message({"a", "b"}, {}),
              HasSubstr("2 hypotheses against 1 references"));
  EXPECT_THAT(message({"a"}, {.tokenizer = "14a"}), HasSubstr("tokenizer"));
  EXPECT_THAT(message({"a"}, {.smoothing = "floor"}), HasSubstr("smoothing"));
  EXPECT_THROW(CorpusBleu({}, {}, {}), Error);
}

std::vector<std::string> Tokens13a(const std::string& text) {
  return BleuTokens(text, {});
}

TEST(BleuTokens, PunctuationAndNumbers) {
  EXPECT_THAT(Tokens13a("Hello, world! (It's 3.5% of 1,000.)"),
              ElementsAre("Hello", ",", "world", "!", "(", "It's", "3.5", "%",
                          "of", "1,000", ".", ")"));
  EXPECT_THAT(Tokens13a("a well-known 5-year-old"),
              ElementsAre("a", "well-known", "5", "-", "year-old"));
  EXPECT_THAT(
      Tokens13a("A.B. .5 5. ...,"),
      ElementsAre("A", ".", "B", ".", ".", "5", "5", ".", ".", ".", ".", ","));
}

TEST(BleuTokens, EntitiesAndLines) {
  EXPECT_THAT(
      Tokens13a("&quot;A&amp;B&quot; &lt;b&gt; &apos;"),
      ElementsAre("\"", "A", "&", "B", "\"", "<", "b", ">", "&", "apos", ";"));
  EXPECT_THAT(Tokens13a("&amp;lt;"), ElementsAre("<"));
  EXPECT_THAT(Tokens13a("a <skipped> hyphen-\nated\nline-\n"),
              ElementsAre("a", "hyphenated", "line-"));
}

TEST(BleuTokens, OtherScriptsAndBlanks) {
  EXPECT_THAT(Tokens13a("„Grüß Gott“,\u00a0sagte\u3000er。"),
              ElementsAre("„Grüß", "Gott“", ",", "sagte", "er。"));
  EXPECT_THAT(Tokens13a(" \u2003\t\u0085"), IsEmpty());
  // A byte that is no UTF-8 stays as it is.
  EXPECT_THAT(Tokens13a("a\xff. b"), ElementsAre("a\xff", ".", "b"));
  EXPECT_THAT(BleuTokens("A\xff. b", {.tokenizer = "none", .lowercase = true}),
              ElementsAre("a\xff.", "b"));
}

}  // namespace
}  // namespace hone
