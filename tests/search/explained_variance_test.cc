#include "search/explained_variance.h"

#include <gtest/gtest.h>

#include "space/base/rng.h"

namespace hone {
namespace {

using Rows = std::vector<std::vector<double>>;

// Groups {1, 2, 3} and {5, 6, 7}: squares between the means 2 and 6 are
// 6 x 4 = 24, within the groups 2 + 2 = 4. eta^2 = 24 / 28, and adjusted
// 1 - (4 / 28)(5 / 4).
TEST(ExplainedVariance, OfTwoGroupsIsAdjustedEtaSquared) {
  const ExplainedVariance explained = Explain(
      Rows{{1, 0}, {1, 0}, {1, 0}, {0, 1}, {0, 1}, {0, 1}}, {1, 2, 3, 5, 6, 7});
  EXPECT_EQ(explained.coefficients, 1);  // the second column follows
  EXPECT_NEAR(explained.share, 1 - 4.0 / 28 * 5 / 4, 1e-12);
  EXPECT_FALSE(explained.reliable);
}

// y = 1 + 2 a - 3 b exactly; the third column is a + b.
TEST(ExplainedVariance, OfAnExactFitIsOne) {
  Rows rows;
  std::vector<double> values;
  for (int i = 0; i < 20; ++i) {
    const double a = i % 4, b = i % 5;
    rows.push_back({a, b, a + b});
    values.push_back(1 + 2 * a - 3 * b);
  }
  const ExplainedVariance explained = Explain(rows, values);
  EXPECT_EQ(explained.coefficients, 2);
  EXPECT_NEAR(explained.share, 1, 1e-12);
  EXPECT_TRUE(explained.reliable);
}

// Means 1 and 2 leave 4 of 5 squares: 1 - (4 / 5)(3 / 2) is negative.
TEST(ExplainedVariance, IsNeverNegative) {
  EXPECT_EQ(Explain(Rows{{0}, {0}, {1}, {1}}, {0, 2, 3, 1}).share, 0);
}

// A share of blocks: the line through (0, 1), (1/2, 2), (1, 6) is 1/2 + 5 x,
// with residuals 1/2, -1, 1/2: 3/2 of 14 squares are left.
TEST(ExplainedVariance, OfALineHandWorked) {
  EXPECT_NEAR(Explain(Rows{{0}, {0.5}, {1}}, {1, 2, 6}).share,
              1 - 1.5 / 14 * 2 / 1, 1e-12);
}

TEST(ExplainedVariance, OfNothingIsNothing) {
  EXPECT_EQ(Explain({}, {}).share, 0);
  EXPECT_EQ(Explain(Rows{{1}, {2}, {3}}, {0.1, 0.1, 0.1}).share, 0);
  EXPECT_EQ(Explain(Rows{{1}, {1}, {1}}, {1, 2, 3}).coefficients, 0);
  EXPECT_EQ(Explain(Rows{{1}, {1}, {1}}, {1, 2, 3}).share, 0);
  // Six sixths, added up, are not quite one.
  const double one = 1 - 1.1e-16;
  EXPECT_EQ(Explain(Rows{{1}, {one}, {1}, {one}}, {1, 2, 1, 2}).coefficients,
            0);
}

// Over many draws the adjusted share of noise is about 0 even with many
// features, where R^2 itself would be 5 / 59.
TEST(ExplainedVariance, OfNoiseIsSmall) {
  double mean = 0;
  for (int draw = 0; draw < 100; ++draw) {
    Rng rng(1, draw, "noise");
    Rows rows(60, std::vector<double>(6, 0.0));
    std::vector<double> values;
    for (auto& row : rows) {
      row[rng.Below(6)] = 1;
      values.push_back(rng.Normal());
    }
    mean += Explain(rows, values).share / 100;
  }
  EXPECT_LT(mean, 0.04);
}

}  // namespace
}  // namespace hone
