#include <limits>

#include <gtest/gtest.h>

#include "search/sqlite_trial_store.h"
#include "space/base/file.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

class TrialStoreContract : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<TrialStore> Make() {
    if (GetParam() == "memory") return MakeMemoryTrialStore();
    return std::make_unique<SqliteTrialStore>(folder_ / "s.db",
                                              SqliteTrialStore::Mode::kWrite);
  }
  ScratchFolder folder_;
};

Trial FullTrial(std::int64_t number) {
  Trial trial;
  trial.number = number;
  trial.architecture = {{32}, {{LocalAttention{2, 3}, {64}, Precision::kW4}}};
  trial.seed = std::numeric_limits<std::uint64_t>::max() - 3;
  trial.origin = "cross'over";
  trial.finished_at = "2026-01-01T00:00:00Z";
  Measurement measurement;
  measurement.metrics["accuracy"] = {0.1 + 0.2, "1", {}, {}};
  measurement.metrics["latency_ms"] = {1e-300, "ms", 0.5, 1.0 / 3};
  measurement.latency_rounds_ms = {3, 1, 2};
  measurement.kernels = {{"MatMul", "jit", "f32", 7}, {"A", "b", "c", 1}};
  measurement.artifacts = {{"model.onnx", "a/b", "abc", 1LL << 40}};
  measurement.environment = {{"cpu", "some \"cpu\""}, {"threads", "1"}};
  trial.outcome = measurement;
  return trial;
}

TEST_P(TrialStoreContract, KeepsEverythingBitByBit) {
  const auto store = Make();
  EXPECT_FALSE(store->LoadStudy());
  EXPECT_TRUE(store->LoadTrials().empty());
  StudyInfo info = TestInfo(std::numeric_limits<std::uint64_t>::max());
  info.constraints = {ParseConstraint("latency_ms <= 0.1")};
  store->CreateStudy(info);
  const auto loaded = store->LoadStudy();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->name, info.name);
  EXPECT_EQ(loaded->spec, info.spec);
  EXPECT_EQ(loaded->seed, info.seed);
  EXPECT_EQ(loaded->objectives.size(), 2u);
  EXPECT_EQ(loaded->objectives[0].direction, Direction::kMaximize);
  EXPECT_EQ(loaded->constraints.at(0).bound, 0.1);
  std::vector<Trial> trials = {FullTrial(0), FullTrial(1), FullTrial(2)};
  trials[1].outcome = Failure{"diverged", "a reason; with 'quotes'"};
  store->Append({trials[0]});
  store->Append({trials[1], trials[2]});
  EXPECT_EQ(store->LoadTrials(), trials);
}

TEST_P(TrialStoreContract, RefusesANumberTwiceOrOutOfOrder) {
  const auto store = Make();
  store->CreateStudy(TestInfo(1));
  store->Append({FullTrial(0)});
  EXPECT_THROW(store->Append({FullTrial(0)}), Error);
  EXPECT_THROW(store->Append({FullTrial(2)}), Error);
  // All or none.
  EXPECT_THROW(store->Append({FullTrial(1), FullTrial(3)}), Error);
  EXPECT_EQ(store->LoadTrials().size(), 1u);
  store->Append({FullTrial(1)});
  EXPECT_EQ(store->LoadTrials().size(), 2u);
}

TEST_P(TrialStoreContract, UpdatesTheSpecAlone) {
  const auto store = Make();
  store->CreateStudy(TestInfo(1));
  store->Append({FullTrial(0)});
  const Json spec = {{"search", {{"trials", 99}}}};
  store->UpdateSpec(spec);
  EXPECT_EQ(store->LoadStudy()->spec, spec);
  EXPECT_EQ(store->LoadStudy()->spec_hash, TestInfo(1).spec_hash);
  EXPECT_EQ(store->LoadTrials().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(All, TrialStoreContract,
                         ::testing::Values("memory", "sqlite"));

}  // namespace
}  // namespace hone
