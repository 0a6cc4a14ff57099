#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/base/fields.h"
#include "space/base/hash.h"
#include "space/base/json.h"
#include "space/base/rng.h"
#include "space/constraint.h"

namespace hone {
namespace {

TEST(Sha256, KnownAnswers) {  // FIPS 180-4, appendix
  EXPECT_EQ(Sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// The reference generator's output for the state {1, 2, 3, 4} is published;
// here the seeding is part of the sequence, so it is written out once more.
TEST(Rng, MatchesAnIndependentXoshiro) {
  std::uint64_t s[4];
  std::uint64_t x = 42;
  for (auto& word : s) {
    x += 0x9e3779b97f4a7c15;
    std::uint64_t z = x;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
  const auto rotl = [](std::uint64_t v, int k) {
    return (v << k) | (v >> (64 - k));
  };
  Rng rng(42);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t expected = rotl(s[0] + s[3], 23) + s[0];
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    ASSERT_EQ(rng.Next(), expected);
  }
}

TEST(Rng, BelowIsUniform) {  // chi-square, 6 degrees of freedom, p = 1e-4
  Rng rng(1, 2, "chi-square");
  std::vector<int> counts(7, 0);
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) ++counts[rng.Below(7)];
  double statistic = 0;
  for (const int count : counts) {
    statistic += std::pow(count - kDraws / 7.0, 2) / (kDraws / 7.0);
  }
  EXPECT_LT(statistic, 27.9);
}

TEST(Rng, NormalHasTheMomentsOfANormal) {
  Rng rng(3, 0, "normal");
  double sum = 0, square = 0, fourth = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.Normal();
    sum += x;
    square += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.01);
  EXPECT_NEAR(square / kDraws, 1, 0.02);
  EXPECT_NEAR(fourth / kDraws, 3, 0.1);
}

TEST(Rng, LabelsSeparateStreams) {
  std::set<std::uint64_t> seeds;
  for (int study = 0; study < 10; ++study) {
    for (int number = 0; number < 10; ++number) {
      for (const char* purpose : {"suggest", "train", "init"}) {
        seeds.insert(StreamSeed(study, number, purpose));
      }
    }
  }
  EXPECT_EQ(seeds.size(), 300u);
  EXPECT_EQ(StreamSeed(7, 1, "x"), StreamSeed(7, 1, "x"));
}

TEST(Rng, ShuffleReachesEveryPermutation) {
  std::set<std::vector<int>> seen;
  for (int i = 0; i < 500; ++i) {
    Rng rng(0, i, "shuffle");
    std::vector<int> items = {1, 2, 3, 4};
    rng.Shuffle(items);
    seen.insert(items);
  }
  EXPECT_EQ(seen.size(), 24u);
}

TEST(Json, RefusesDuplicateKeysAndDepth) {
  EXPECT_THROW(ParseJson(R"({"a":1,"a":2})", "x"), Error);
  EXPECT_THROW(ParseJson(R"([{"b":{"a":1,"a":2}}])", "x"), Error);
  EXPECT_NO_THROW(ParseJson(R"([{"a":1},{"a":2}])", "x"));
  EXPECT_THROW(ParseJson(std::string(100, '['), "x"), Error);
  EXPECT_THROW(ParseJson("{} {}", "x"), Error);
  EXPECT_THROW(CanonicalJson(Json(std::nan(""))), Error);
}

TEST(NearestWord, FindsTypingErrors) {
  const std::vector<std::string> words = {"search", "pareto", "trials"};
  EXPECT_EQ(NearestWord("serach", words), "search");
  EXPECT_EQ(NearestWord("trial", words), "trials");
  EXPECT_EQ(NearestWord("xyz", words), "");
  EXPECT_EQ(DidYouMean("xyz", words), "; use search, pareto or trials");
}

TEST(Check, PrintsBothOperands) {
  try {
    HONE_CHECK_EQ(1 + 1, 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("got 2 and 3"), std::string::npos);
  }
}

TEST(FieldRule, NamesWhatIsWrong) {
  EXPECT_EQ(RuleViolation(std::int64_t{5}, InRange{1, 8}), "");
  EXPECT_EQ(RuleViolation(std::int64_t{13}, InRange{1, 8}),
            "13 is out of range; use 1 to 8");
  EXPECT_NE(RuleViolation(std::nan(""), AnyValue{}), "");
  EXPECT_EQ(RuleViolation(std::string("w8"), OneOf{{"f32", "w4"}}),
            "unknown value 'w8'; did you mean 'w4'?");
  EXPECT_EQ(RuleViolation(std::vector<std::int64_t>{1, 9}, InRange{1, 8}),
            "element 1: 9 is out of range; use 1 to 8");
}

TEST(Constraint, ParsesBothDirections) {
  const Constraint at_most = ParseConstraint("parameters <= 2e6");
  EXPECT_EQ(at_most.metric, "parameters");
  EXPECT_TRUE(Holds(at_most, 2e6));
  EXPECT_FALSE(Holds(at_most, 2e6 + 1));
  const Constraint at_least = ParseConstraint("accuracy>=0.75");
  EXPECT_FALSE(Holds(at_least, 0.7));
  EXPECT_EQ(ToText(at_least), "accuracy >= 0.75");
  for (const char* bad :
       {"parameters", "parameters < 3", "<= 3", "parameters <= x",
        "parameters <= 3 4", "parameters <= inf", ""}) {
    EXPECT_THROW(ParseConstraint(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace hone
