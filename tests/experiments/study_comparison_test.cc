#include "experiments/study_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/experiments/fixtures.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ComparedStudy Compared(const std::string& name,
                       const std::vector<Trial>& front) {
  ComparedStudy study{name, ExampleStudy(), front, front};
  study.info.spec = {{"study", {{"name", name}}},
                     {"search", {{"algorithm", "nsga2"}}}};
  return study;
}

ComparedStudy A() {
  ComparedStudy study =
      Compared("a", {Complete(0, 0.9, 2.0), Complete(1, 0.8, 1.0)});
  study.trials.push_back(Failed(2));
  return study;
}

// The first equals one of A's, the second is dominated by one.
ComparedStudy B() {
  return Compared("b", {Complete(4, 0.9, 2.0), Complete(5, 0.78, 1.1),
                        Complete(6, 0.7, 0.5)});
}

std::vector<std::int64_t> Numbers(const std::vector<Trial>& trials) {
  std::vector<std::int64_t> numbers;
  for (const Trial& trial : trials) numbers.push_back(trial.number);
  return numbers;
}

// Of both fronts, accuracy is 0.7 to 0.9 and latency 0.5 to 2: the reference is
// (0.68, 2.15), the box 0.22 x 1.65 = 0.363.
TEST(StudyComparisonTest, HandWorked) {
  const StudyComparison comparison = CompareStudies(A(), B());
  EXPECT_NEAR(comparison.first.hypervolume, 0.153 / 0.363, 1e-9);
  EXPECT_NEAR(comparison.second.hypervolume, 0.135 / 0.363, 1e-9);
  EXPECT_DOUBLE_EQ(comparison.first.coverage, 2.0 / 3);
  EXPECT_DOUBLE_EQ(comparison.second.coverage, 1.0 / 2);
  EXPECT_THAT(Numbers(comparison.first.kept), ElementsAre(0, 1));
  EXPECT_THAT(Numbers(comparison.second.kept), ElementsAre(4, 6));
  EXPECT_EQ(comparison.first.trials, 3u);
  EXPECT_EQ(comparison.first.failed, 1u);
  ASSERT_EQ(comparison.differences.size(), 1u);
  EXPECT_EQ(comparison.differences[0].field, "study.name");

  const Json json = ToJson(comparison);
  EXPECT_NEAR(json["reference"]["accuracy"].get<double>(), 0.68, 1e-9);
  EXPECT_NEAR(json["reference"]["latency_ms"].get<double>(), 2.15, 1e-9);
  EXPECT_EQ(json["studies"][1]["kept"].size(), 2u);
  EXPECT_THAT(ComparisonPage(comparison), HasSubstr("66.7 %"));
}

void ExpectRefused(const ComparedStudy& a, const ComparedStudy& b,
                   const std::string& message) {
  try {
    CompareStudies(a, b);
    FAIL() << message;
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(StudyComparisonTest, RefusesWhatCannotBeCompared) {
  ComparedStudy other = B();
  other.info.objectives[1].metric = "file_bytes";
  ExpectRefused(A(), other,
                "different objectives: a has maximize accuracy, minimize "
                "latency_ms; b has maximize accuracy, minimize file_bytes");
  other = B();
  for (Trial& trial : other.front) trial.fidelity = Fidelity::kCost;
  ExpectRefused(A(), other, "a has trained; b has cost");
  other = B();
  other.front.clear();
  ExpectRefused(A(), other, "b: no trial is on its front");
}

}  // namespace
}  // namespace hone
