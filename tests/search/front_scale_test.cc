#include "search/front_scale.h"

#include <gtest/gtest.h>

namespace hone {
namespace {

TEST(FrontScale, HandWorked) {
  // Best (0, 100), worst (10, 200): the reference is (11, 210), the box 11 x
  // 110.
  const FrontScale scale({{0, 200}, {10, 100}});
  EXPECT_EQ(scale.best(), (Point{0, 100}));
  EXPECT_DOUBLE_EQ(scale.reference()[0], 11);
  EXPECT_DOUBLE_EQ(scale.reference()[1], 210);
  // 11 x 10 of the one end, and 1 x 100 more of the other.
  EXPECT_DOUBLE_EQ(scale.Hypervolume({{0, 200}, {10, 100}}),
                   (110.0 + 100.0) / 1210);
  EXPECT_DOUBLE_EQ(scale.Hypervolume({{0, 100}}), 1);
  EXPECT_DOUBLE_EQ(scale.Hypervolume({{12, 100}}), 0);
  const std::vector<double> curve =
      scale.HypervolumeCurve({{12, 100}, {0, 200}, {10, 100}});
  ASSERT_EQ(curve.size(), 3u);
  EXPECT_DOUBLE_EQ(curve[0], 0);
  EXPECT_DOUBLE_EQ(curve[1], 110.0 / 1210);
  EXPECT_DOUBLE_EQ(curve[2], 210.0 / 1210);
}

TEST(FrontScale, DoesNotDependOnUnits) {
  const std::vector<Point> milliseconds = {{0.25, -0.5}, {0.5, -0.75}};
  const std::vector<Point> microseconds = {{250, -50}, {500, -75}};
  EXPECT_NEAR(FrontScale(milliseconds).Hypervolume({milliseconds[0]}),
              FrontScale(microseconds).Hypervolume({microseconds[0]}), 1e-12);
}

TEST(FrontScale, AnObjectiveThatIsTheSameEverywhereIsNoDivisionByZero) {
  const FrontScale scale({{1, 7}, {1, 7}});
  EXPECT_DOUBLE_EQ(scale.Hypervolume({{1, 7}}), 1);
}

}  // namespace
}  // namespace hone
