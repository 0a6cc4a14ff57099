#include "experiments/gain_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/experiments/fixtures.h"

namespace hone {
namespace {

using testing::HasSubstr;

StudyComparison With(double accuracy) {
  StudyInfo study = ExampleStudy();
  study.spec = Json::object();
  StudyInfo control = study;
  control.spec = {{"search", {{"algorithm", "random"}}}};
  const Trial ours = Complete(0, 0.9, 1);
  const Trial theirs = Complete(0, accuracy, 2);
  return CompareStudies({"a.db", study, {ours}, {ours}},
                        {"a-random.db", control, {theirs}, {theirs}});
}

// On the scale of both, ours is (0, 0) and theirs (1, 1): boxes of 1.1 x 1.1
// and 0.1 x 0.1.
TEST(GainReport, IsTheQuotientOfHypervolumes) {
  const Json json = GainToJson({With(0.8)});
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["control"], "random");
  EXPECT_NEAR(json[0]["of_study"].get<double>(), 1, 1e-12);
  EXPECT_NEAR(json[0]["hypervolume"].get<double>(), 0.01 / 1.21, 1e-12);
  EXPECT_NEAR(json[0]["gain"].get<double>(), 121, 1e-9);
  EXPECT_EQ(json[0]["coverage"], 1);
  EXPECT_EQ(json[0]["covered"], 0);
  EXPECT_THAT(GainText({With(0.8)}), HasSubstr("121 times"));
}

TEST(GainReport, IsEmptyWithoutControls) {
  EXPECT_EQ(GainText({}), "");
  EXPECT_EQ(GainToJson({}), Json::array());
}

}  // namespace
}  // namespace hone
