#include "search/rank_correlation.h"

#include <gtest/gtest.h>

#include "tests/search/fixtures.h"

namespace hone {
namespace {

TEST(KendallTau, KnownAnswers) {
  EXPECT_DOUBLE_EQ(KendallTau({1, 2, 3, 4}, {10, 20, 30, 40}), 1);
  EXPECT_DOUBLE_EQ(KendallTau({1, 2, 3, 4}, {4, 3, 2, 1}), -1);
  // 5 of 6 pairs agree.
  EXPECT_DOUBLE_EQ(KendallTau({1, 2, 3, 4}, {1, 3, 2, 4}), 4.0 / 6);
  // scipy.stats.kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0])
  EXPECT_NEAR(KendallTau({12, 2, 1, 12, 2}, {1, 4, 7, 1, 0}),
              -0.47140452079103173, 1e-12);
  EXPECT_EQ(KendallTau({1, 1, 1}, {1, 2, 3}), 0);
  EXPECT_EQ(KendallTau({}, {}), 0);
}

Trial Measured(const Architecture& architecture, Fidelity fidelity,
               double accuracy, double latency) {
  Trial trial;
  trial.architecture = architecture;
  trial.fidelity = fidelity;
  Measurement measurement;
  measurement.metrics["accuracy"] = {accuracy, "1", {}, {}};
  measurement.metrics["latency_ms"] = {latency, "ms", {}, {}};
  trial.outcome = measurement;
  return trial;
}

TEST(RungAgreements, ComparesWhatBothRungsMeasured) {
  const SearchSpace space = TestSpace();
  Rng rng(1);
  std::vector<Trial> trials;
  for (int i = 0; i < 4; ++i) {
    const Architecture one = space.Sample(rng);
    trials.push_back(Measured(one, Fidelity::kInherited, 0.5 + 0.1 * i, i));
    if (i == 3) continue;  // never promoted
    // Accuracies in another order, latencies in the same.
    trials.push_back(
        Measured(one, Fidelity::kTrained, i == 0 ? 0.75 : 0.6 + 0.1 * i, i));
  }
  const auto agreements = RungAgreements(trials, kTestObjectives);
  ASSERT_EQ(agreements.size(), 2u);
  EXPECT_EQ(agreements[0].lower, Fidelity::kInherited);
  EXPECT_EQ(agreements[0].higher, Fidelity::kTrained);
  EXPECT_EQ(agreements[0].architectures, 3);
  EXPECT_EQ(agreements[0].metric, "accuracy");
  EXPECT_NEAR(agreements[0].tau, 1.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(agreements[1].tau, 1);
}

TEST(RungAgreements, AreSilentAboutTooFew) {
  EXPECT_TRUE(RungAgreements({}, kTestObjectives).empty());
}

}  // namespace
}  // namespace hone
