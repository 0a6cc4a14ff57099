#include "search/trial_filter.h"

#include <gtest/gtest.h>

#include "search/sqlite_trial_store.h"
#include "space/base/file.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

TEST(TrialFilter, BindsWeakerForOr) {
  Trial trial;
  Measurement measurement;
  measurement.metrics["a"] = {1, "1", {}, {}};
  measurement.metrics["b"] = {2, "1", {}, {}};
  trial.outcome = measurement;
  trial.origin = "random";
  const auto matches = [&](const char* text) {
    return TrialFilter::Parse(text).Matches(trial);
  };
  EXPECT_TRUE(matches("a = 1 or a = 2 and b = 3"));
  EXPECT_FALSE(matches("(a = 1 or a = 2) and b = 3"));
  EXPECT_TRUE(matches("not a > 1 and b >= 2"));
  EXPECT_TRUE(matches("a != 2 and b <= 2e0 and not (b < 2)"));
  EXPECT_TRUE(matches("origin = 'random' and state = 'complete'"));
  EXPECT_FALSE(matches("missing < 1"));
  EXPECT_TRUE(matches("not missing < 1"));
}

TEST(TrialFilter, RefusesWithTheColumn) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "column 1: a metric"},
      {"a <", "column 4: a number"},
      {"a << 1", "column 4: a number"},
      {"a < 1 b", "column 7: 'and', 'or'"},
      {"(a < 1", "column 7: ')'"},
      {"a 1", "column 3: one of <"},
      {"state < 'x'", "compared with = or !="},
      {"state = x", "single quotes"},
      {"state = 'x", "closing '"},
      {"a < 1; DROP TABLE trial", "column 6"},
      {"1 < a", "column 1"},
      {std::string(500, '('), "too deeply"}};
  for (const auto& [text, message] : cases) {
    try {
      TrialFilter::Parse(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  }
}

std::string RandomCondition(Rng& rng, int depth) {
  const auto number = [&] { return std::to_string(rng.Uniform()); };
  if (depth == 0 || rng.Bernoulli(0.3)) {
    const std::vector<std::string> operators = {"<", "<=", ">", ">=", "="};
    switch (rng.Below(4)) {
      case 0:
        return "accuracy " + rng.Pick(operators) + " " + number();
      case 1:
        return "latency_ms " + rng.Pick(operators) + " " + number();
      case 2:
        return "number < " + std::to_string(rng.Below(60));
      default:
        return rng.Bernoulli(0.5) ? "state = 'failed'" : "origin != 'random'";
    }
  }
  if (rng.Bernoulli(0.2)) {
    return "not (" + RandomCondition(rng, depth - 1) + ")";
  }
  return "(" + RandomCondition(rng, depth - 1) + ") " +
         (rng.Bernoulli(0.5) ? "and" : "or") + " (" +
         RandomCondition(rng, depth - 1) + ")";
}

TEST(TrialFilter, SqlEqualsTheDirectAnswer) {
  const ScratchFolder folder;
  SqliteTrialStore store(folder / "s.db", SqliteTrialStore::Mode::kWrite);
  RunTestStudy(store, "nsga2", 60);
  const std::vector<Trial> trials = store.LoadTrials();
  for (int i = 0; i < 200; ++i) {
    Rng rng(1, i, "condition");
    const TrialFilter filter = TrialFilter::Parse(RandomCondition(rng, 3));
    std::vector<std::int64_t> expected;
    for (const Trial& trial : trials) {
      if (filter.Matches(trial)) expected.push_back(trial.number);
    }
    EXPECT_EQ(store.NumbersWhere(filter), expected) << filter.ToSql().condition;
  }
}

}  // namespace
}  // namespace hone
