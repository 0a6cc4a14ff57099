#include "search/trial.h"

#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "tests/search/fixtures.h"

namespace hone {
namespace {

Trial Example() {
  Trial trial;
  trial.number = 3;
  trial.architecture = {{32}, {{MultiHead(2), {64}, Precision::kW4}}};
  trial.seed = 99;
  trial.origin = "random";
  trial.finished_at = "2026-01-01T00:00:00Z";
  Measurement measurement;
  measurement.metrics["accuracy"] = {0.5, "1", 0.4, 0.6};
  measurement.metrics["train_seconds"] = {7, "s", {}, {}};
  measurement.latency_rounds_ms = {1, 2};
  measurement.kernels = {{"FullyConnected", "brgemm", "u8", 4}};
  measurement.artifacts = {{"model.onnx", "a/b", "abc", 10}};
  measurement.environment["cpu"] = "x";
  trial.outcome = measurement;
  return trial;
}

std::string DigestAfter(const std::function<void(Trial&, Measurement&)>& edit) {
  Trial trial = Example();
  edit(trial, std::get<Measurement>(trial.outcome));
  return TrialDigest(trial);
}

TEST(TrialDigest, CoversWhatARepeatMustReproduce) {
  const std::set<std::string> digests = {
      TrialDigest(Example()),
      DigestAfter([](Trial& t, Measurement&) { t.number = 4; }),
      DigestAfter([](Trial& t, Measurement&) { t.seed = 98; }),
      DigestAfter([](Trial& t, Measurement&) { t.origin = "mutation"; }),
      DigestAfter([](Trial& t, Measurement&) { t.fidelity = Fidelity::kCost; }),
      DigestAfter([](Trial& t, Measurement&) { t.architecture.stem = {64}; }),
      DigestAfter([](Trial&, Measurement& m) {
        m.metrics["accuracy"].value = std::nextafter(0.5, 1);
      }),
      DigestAfter(
          [](Trial&, Measurement& m) { m.metrics["accuracy"].low.reset(); }),
      DigestAfter([](Trial&, Measurement& m) { m.latency_rounds_ms[1] = 3; }),
      DigestAfter([](Trial&, Measurement& m) { m.kernels[0].count = 5; }),
      DigestAfter([](Trial&, Measurement& m) { m.artifacts[0].sha256 = "d"; }),
      DigestAfter([](Trial& t, Measurement&) {
        t.outcome = Failure{"diverged", "x"};
      })};
  EXPECT_EQ(digests.size(), 12u);
}

TEST(TrialDigest, LeavesOutClocksPathsAndMachines) {
  const std::string digest = TrialDigest(Example());
  EXPECT_EQ(digest, DigestAfter([](Trial& t, Measurement& m) {
              t.finished_at = "later";
              m.metrics["train_seconds"].value = 8;
              m.artifacts[0].path = "elsewhere";
              m.environment["cpu"] = "y";
            }));
}

TEST(StudyDigest, DependsOnSpecAndOrder) {
  Trial a = Example(), b = Example();
  b.number = 4;
  EXPECT_NE(StudyDigest("s", {a, b}), StudyDigest("s", {b, a}));
  EXPECT_NE(StudyDigest("s", {a}), StudyDigest("t", {a}));
  EXPECT_NE(StudyDigest("s", {a}), StudyDigest("s", {a, b}));
}

TEST(TrainingSeed, IsSharedByPrecisionsAlone) {
  Architecture architecture = Example().architecture;
  const std::uint64_t seed = TrainingSeed(1, architecture);
  architecture.encoder[0].precision = Precision::kF32;
  EXPECT_EQ(TrainingSeed(1, architecture), seed);
  EXPECT_NE(TrainingSeed(2, architecture), seed);
  architecture.encoder[0].feed_forward.width = 65;
  EXPECT_NE(TrainingSeed(1, architecture), seed);
}

TEST(Objective, ParsesAndRefuses) {
  const Objective objective = ParseObjective("maximize accuracy");
  EXPECT_EQ(objective.metric, "accuracy");
  EXPECT_EQ(objective.direction, Direction::kMaximize);
  EXPECT_EQ(MinimizedValues(Example(), {objective}), std::vector<double>{-0.5});
  EXPECT_THROW(MinimizedValues(Example(), {ParseObjective("minimize acuracy")}),
               Error);
  for (const char* bad :
       {"accuracy", "maximise accuracy", "maximize", "", "maximize a b"}) {
    EXPECT_THROW(ParseObjective(bad), Error) << bad;
  }
}

TEST(Violation, SumsRelativeExcesses) {
  const Trial trial = Example();
  EXPECT_EQ(Violation(trial, {ParseConstraint("accuracy >= 0.5")}), 0);
  EXPECT_DOUBLE_EQ(Violation(trial, {ParseConstraint("accuracy >= 0.8"),
                                     ParseConstraint("train_seconds <= 5")}),
                   0.3 / 0.8 + 2.0 / 5);
}

TEST(Violation, ALatencyKeepsABoundWithItsWholeInterval) {
  Trial trial = Example();
  Measurement measurement;
  measurement.metrics = {{"latency_ms", {2, "ms", 1.5, 3.0}},
                         {"accuracy", {0.8, "1", 0.7, 0.9}}};
  trial.outcome = measurement;
  EXPECT_EQ(Violation(trial, {ParseConstraint("latency_ms <= 3")}), 0);
  EXPECT_DOUBLE_EQ(Violation(trial, {ParseConstraint("latency_ms <= 2.5")}),
                   0.5 / 2.5);
  EXPECT_DOUBLE_EQ(Violation(trial, {ParseConstraint("latency_ms >= 2")}),
                   0.5 / 2);
  EXPECT_EQ(Violation(trial, {ParseConstraint("accuracy <= 0.85")}), 0);
}

}  // namespace
}  // namespace hone
