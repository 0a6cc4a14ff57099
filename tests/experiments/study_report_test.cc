#include "experiments/study_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiments/fixtures.h"

namespace hone {
namespace {

using testing::HasSubstr;

Trial At(Trial trial, const std::string& time) {
  trial.finished_at = "2026-01-31T" + time + "Z";
  return trial;
}

StudyReport Example() {
  const std::vector<Trial> trials = {
      At(Failed(0), "23:59:50"), At(Complete(1, 0.8, 1), "23:59:55"),
      At(Complete(2, 0.7, 2), "23:59:55"), At(Complete(3, 0.9, 2), "23:59:59")};
  return ReportStudy(ExampleStudy(), trials, {trials[1], trials[3]});
}

// The reference is (0.79, 2.1), the box 0.11 x 1.1 = 0.121.
TEST(StudyReportTest, HypervolumeGrowsAtTrialsOfTheFront) {
  const StudyReport report = Example();
  ASSERT_EQ(report.steps.size(), 2u);
  EXPECT_EQ(report.steps[0].trial, 1);
  EXPECT_EQ(report.steps[0].seconds, 5);
  EXPECT_NEAR(report.steps[0].hypervolume, 0.011 / 0.121, 1e-9);
  EXPECT_EQ(report.steps[1].trial, 3);
  EXPECT_EQ(report.steps[1].seconds, 9);
  EXPECT_NEAR(report.steps[1].hypervolume, 0.021 / 0.121, 1e-9);
  const Json json = ToJson(report);
  EXPECT_EQ(json["failures"]["diverged"], 1);
  EXPECT_NEAR(json["hypervolume"]["reference"]["accuracy"].get<double>(), 0.79,
              1e-9);
  EXPECT_EQ(json["hypervolume"]["final"], report.steps[1].hypervolume);
}

TEST(StudyReportTest, PageHasCountsPlotsAndParts) {
  const std::string page = StudyPage(Example());
  EXPECT_THAT(page,
              HasSubstr("Study example: 4 trials, 1 failed, 2 on the front"));
  EXPECT_THAT(page, HasSubstr("hypervolume of the trials so far"));
  EXPECT_THAT(page, HasSubstr("accuracy 0.79, latency_ms 2.1"));
}

TEST(StudyReportTest, OfAStudyWithoutAFront) {
  EXPECT_EQ(StudyPage(ReportStudy(ExampleStudy(), {Failed(0)}, {})),
            "Study example: 1 trials, 1 failed, 0 on the front\n"
            "  failed, diverged: 1\n");
  EXPECT_EQ(ToJson(ReportStudy(ExampleStudy(), {}, {}))["hypervolume"]["final"],
            0);
}

}  // namespace
}  // namespace hone
