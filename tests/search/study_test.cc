#include "search/study.h"

#include <gtest/gtest.h>

#include "tests/search/fixtures.h"

namespace hone {
namespace {

// Throws when a batch holds the trial numbered `fatal`.
class DyingEvaluator : public Evaluator {
 public:
  explicit DyingEvaluator(std::int64_t fatal) : fatal_(fatal) {}
  std::vector<Outcome> Evaluate(const std::vector<Candidate>& batch) override {
    for (const Candidate& candidate : batch) {
      if (candidate.number == fatal_) {
        throw Error(ErrorCode::kResource, "the test ends here");
      }
    }
    return inner_.Evaluate(batch);
  }

 private:
  std::int64_t fatal_;
  TestEvaluator inner_;
};

// Throws before the trial numbered `fatal` is stored; those before it are.
class DyingStore : public TrialStore {
 public:
  DyingStore(TrialStore& inner, std::int64_t fatal)
      : inner_(inner), fatal_(fatal) {}
  void CreateStudy(const StudyInfo& info) override { inner_.CreateStudy(info); }
  std::optional<StudyInfo> LoadStudy() const override {
    return inner_.LoadStudy();
  }
  void UpdateSpec(const Json& spec) override { inner_.UpdateSpec(spec); }
  void Append(const std::vector<Trial>& trials) override {
    for (const Trial& trial : trials) {
      if (trial.number == fatal_) {
        throw Error(ErrorCode::kResource, "the test ends here");
      }
      inner_.Append({trial});
    }
  }
  std::vector<Trial> LoadTrials() const override { return inner_.LoadTrials(); }

 private:
  TrialStore& inner_;
  std::int64_t fatal_;
};

std::string Undisturbed(const std::string& algorithm, std::int64_t trials) {
  const auto store = MakeMemoryTrialStore();
  RunTestStudy(*store, algorithm, trials);
  EXPECT_EQ(store->LoadTrials().size(), static_cast<std::size_t>(trials));
  return DigestOf(*store);
}

class StudyTest : public ::testing::TestWithParam<std::string> {};

TEST_P(StudyTest, GoesOnAfterAnyTrialAsIfNothingHadHappened) {
  const std::string expected = Undisturbed(GetParam(), 40);
  for (std::int64_t fatal = 0; fatal < 40; ++fatal) {
    const auto store = MakeMemoryTrialStore();
    DyingStore dying(*store, fatal);
    EXPECT_THROW(RunTestStudy(dying, GetParam(), 40), Error);
    EXPECT_EQ(store->LoadTrials().size(), static_cast<std::size_t>(fatal));
    RunTestStudy(*store, GetParam(), 40);
    EXPECT_EQ(DigestOf(*store), expected) << fatal;
  }
}

TEST_P(StudyTest, MoreTrialsContinueTheSameStudy) {
  for (const std::int64_t first : {1, 7, 8, 13, 39}) {
    const auto store = MakeMemoryTrialStore();
    RunTestStudy(*store, GetParam(), first);
    EXPECT_EQ(store->LoadTrials().size(), static_cast<std::size_t>(first));
    RunTestStudy(*store, GetParam(), 40);
    EXPECT_EQ(DigestOf(*store), Undisturbed(GetParam(), 40)) << first;
  }
}

INSTANTIATE_TEST_SUITE_P(All, StudyTest,
                         ::testing::ValuesIn(SearchAlgorithmNames()));

TEST(Study, EvaluatesNothingTwice) {
  const SearchSpace space = TinySpace();
  const auto algorithm = TestAlgorithm("nsga2", TestContext(space, 1));
  TestEvaluator evaluator;
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(1));
  StudyOptions options;
  options.trials = 100;
  options.batch = 3;
  Study(*algorithm, evaluator, *store, options).Run();
  EXPECT_EQ(store->LoadTrials().size(), 8u);
  for (const auto& [hash, calls] : evaluator.calls()) EXPECT_EQ(calls, 1);
}

// Counts the transactions.
class CountingStore : public TrialStore {
 public:
  explicit CountingStore(TrialStore& inner) : inner_(inner) {}
  void CreateStudy(const StudyInfo& info) override { inner_.CreateStudy(info); }
  std::optional<StudyInfo> LoadStudy() const override {
    return inner_.LoadStudy();
  }
  void UpdateSpec(const Json& spec) override { inner_.UpdateSpec(spec); }
  void Append(const std::vector<Trial>& trials) override {
    ++appends_;
    inner_.Append(trials);
  }
  std::vector<Trial> LoadTrials() const override { return inner_.LoadTrials(); }
  int appends() const { return appends_; }

 private:
  TrialStore& inner_;
  int appends_ = 0;
};

TEST(Study, StoresQuickBatchesTogetherAndSlowOnesAtOnce) {
  for (const auto& [interval, appends] :
       {std::pair(std::chrono::hours(1000), 1),
        std::pair(std::chrono::hours(0), 5)}) {
    const auto inner = MakeMemoryTrialStore();
    CountingStore store(*inner);
    RunTestStudy(store, "nsga2", 40, 8, 5, interval);
    EXPECT_EQ(store.appends(), appends);
    EXPECT_EQ(DigestOf(store), Undisturbed("nsga2", 40));
  }
}

TEST(Study, AnEvaluatorThatThrowsLosesOnlyItsBatch) {
  const SearchSpace space = TestSpace();
  const auto algorithm = TestAlgorithm("nsga2", TestContext(space, 5));
  DyingEvaluator evaluator(19);
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(5));
  StudyOptions options;
  options.trials = 40;
  EXPECT_THROW(Study(*algorithm, evaluator, *store, options).Run(), Error);
  EXPECT_EQ(store->LoadTrials().size(), 16u);
  RunTestStudy(*store, "nsga2", 40);
  EXPECT_EQ(DigestOf(*store), Undisturbed("nsga2", 40));
}

TEST(Study, RefusesALogThatItWouldNotWrite) {
  const auto store = MakeMemoryTrialStore();
  RunTestStudy(*store, "nsga2", 16);
  try {
    RunTestStudy(*store, "random", 24);
    RunTestStudy(*store, "nsga2", 24, 8, 6);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
    EXPECT_NE(std::string(error.what()).find("trial "), std::string::npos);
  }
}

// Fails every trial before the given one.
class LateEvaluator : public Evaluator {
 public:
  explicit LateEvaluator(std::int64_t first) : first_(first) {}
  std::vector<Outcome> Evaluate(const std::vector<Candidate>& batch) override {
    std::vector<Outcome> outcomes = inner_.Evaluate(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (batch[i].number < first_) outcomes[i] = Failure{"parity", "too far"};
    }
    return outcomes;
  }

 private:
  std::int64_t first_;
  TestEvaluator inner_;
};

TEST(Study, EndsWhenAllOfItsFirstTrialsFailed) {
  const SearchSpace space = TestSpace();
  for (const std::int64_t first : {15, 16}) {
    const auto store = MakeMemoryTrialStore();
    store->CreateStudy(TestInfo(5));
    StudyOptions options;
    options.trials = 40;
    // Told again, it ends again; what it has stays.
    for (int run = 0; run < 2; ++run) {
      const auto algorithm = TestAlgorithm("nsga2", TestContext(space, 5));
      LateEvaluator evaluator(first);
      Study study(*algorithm, evaluator, *store, options);
      if (first == 15) {
        EXPECT_NO_THROW(study.Run());
        continue;
      }
      try {
        study.Run();
        FAIL();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUsage);
        EXPECT_STREQ(error.what(),
                     "all of the first 16 trials failed, so the search ends "
                     "here; the last one (parity): too far");
      }
    }
    EXPECT_EQ(store->LoadTrials().size(), first == 15 ? 40u : 16u);
  }
}

TEST(Study, StopsBetweenBatchesWhenCancelled) {
  const SearchSpace space = TestSpace();
  const auto algorithm = TestAlgorithm("random", TestContext(space, 5));
  TestEvaluator evaluator;
  const auto store = MakeMemoryTrialStore();
  store->CreateStudy(TestInfo(5));
  StudyOptions options;
  options.trials = 40;
  std::atomic<bool> cancelled = false;
  Study study(*algorithm, evaluator, *store, options);
  study.set_cancelled(&cancelled);
  study.set_on_trial(
      [&](const Trial& trial, bool) { cancelled = trial.number == 10; });
  try {
    study.Run();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  cancelled = true;
  EXPECT_THROW(study.Run(), Error);
}

}  // namespace
}  // namespace hone
