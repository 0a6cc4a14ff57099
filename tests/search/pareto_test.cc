#include "search/pareto.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "space/base/rng.h"

namespace hone {
namespace {

// On a coarse grid, so that ties and equal points occur.
std::vector<Point> RandomPoints(Rng& rng, std::size_t count,
                                std::size_t objectives) {
  std::vector<Point> points(count, Point(objectives));
  for (Point& point : points) {
    for (double& value : point) value = static_cast<double>(rng.Below(8)) / 8;
  }
  return points;
}

std::vector<std::size_t> BruteForceFront(const std::vector<Point>& points) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < points.size(); ++i) {
    bool dominated = false;
    for (const Point& other : points) {
      bool no_worse = true, better = false;
      for (std::size_t k = 0; k < other.size(); ++k) {
        no_worse = no_worse && other[k] <= points[i][k];
        better = better || other[k] < points[i][k];
      }
      dominated = dominated || (no_worse && better);
    }
    if (!dominated) front.push_back(i);
  }
  return front;
}

TEST(ParetoFront, EqualsBruteForce) {
  for (int i = 0; i < 500; ++i) {
    Rng rng(1, i, "points");
    const auto points = RandomPoints(rng, rng.Below(30), 2 + rng.Below(3));
    EXPECT_EQ(ParetoFront(points), BruteForceFront(points));
  }
}

TEST(NonDominatedRanks, PeelOneFrontAfterTheOther) {
  for (int i = 0; i < 200; ++i) {
    Rng rng(2, i, "points");
    const auto points = RandomPoints(rng, 25, 1 + rng.Below(4));
    const std::vector<int> ranks = NonDominatedRanks(points);
    for (std::size_t a = 0; a < points.size(); ++a) {
      // A rank is one more than the worst rank among those that dominate.
      int expected = 0;
      for (std::size_t b = 0; b < points.size(); ++b) {
        if (Dominates(points[b], points[a])) {
          expected = std::max(expected, ranks[b] + 1);
        }
      }
      EXPECT_EQ(ranks[a], expected);
    }
  }
}

TEST(CrowdingDistances, HandWorked) {
  const std::vector<Point> points = {{0, 10}, {1, 6}, {4, 3}, {10, 0}};
  const std::vector<double> distances = CrowdingDistances(points);
  EXPECT_TRUE(std::isinf(distances[0]));
  EXPECT_TRUE(std::isinf(distances[3]));
  EXPECT_DOUBLE_EQ(distances[1], 4.0 / 10 + 7.0 / 10);
  EXPECT_DOUBLE_EQ(distances[2], 9.0 / 10 + 6.0 / 10);
  EXPECT_EQ(CrowdingDistances({{1, 1}, {1, 1}, {1, 1}}).size(), 3u);
  EXPECT_TRUE(CrowdingDistances({}).empty());
}

TEST(Hypervolume, HandWorked) {
  EXPECT_DOUBLE_EQ(Hypervolume({{1, 3}, {2, 2}, {3, 1}}, {4, 4}), 6);
  EXPECT_DOUBLE_EQ(Hypervolume({{1, 3}, {1, 3}, {3, 3}}, {4, 4}), 3);
  EXPECT_DOUBLE_EQ(Hypervolume({{4, 0}, {0, 4}, {5, 5}}, {4, 4}), 0);
  EXPECT_DOUBLE_EQ(Hypervolume({}, {1, 1}), 0);
  // Two boxes of 8 that share a cube of 1.
  EXPECT_DOUBLE_EQ(Hypervolume({{0, 0, 1}, {1, 1, 0}}, {2, 2, 2}), 4 + 2 - 1);
  EXPECT_DOUBLE_EQ(Hypervolume({{0, 0, 0, 0}}, {1, 2, 3, 4}), 24);
}

// On a grid of 1/8 the dominated cells can be counted.
TEST(Hypervolume, EqualsCountedCells) {
  for (int i = 0; i < 60; ++i) {
    Rng rng(3, i, "points");
    const std::size_t objectives = 2 + rng.Below(3);
    const auto points = RandomPoints(rng, 1 + rng.Below(12), objectives);
    std::size_t cells = 1;
    for (std::size_t k = 0; k < objectives; ++k) cells *= 8;
    std::size_t dominated = 0;
    for (std::size_t cell = 0; cell < cells; ++cell) {
      Point corner(objectives);
      std::size_t rest = cell;
      for (double& value : corner) {
        value = static_cast<double>(rest % 8) / 8;
        rest /= 8;
      }
      dominated +=
          std::any_of(points.begin(), points.end(), [&](const Point& point) {
            for (std::size_t k = 0; k < objectives; ++k) {
              if (point[k] > corner[k]) return false;
            }
            return true;
          });
    }
    EXPECT_NEAR(Hypervolume(points, Point(objectives, 1.0)),
                static_cast<double>(dominated) / static_cast<double>(cells),
                1e-12);
  }
}

TEST(HypervolumeCurve, HandWorked) {
  // The last two are dominated and equal to one before.
  EXPECT_EQ(HypervolumeCurve({{2, 2}, {1, 3}, {5, 0}, {3, 1}, {3, 3}, {2, 2}},
                             {4, 4}),
            (std::vector<double>{4, 5, 5, 6, 6, 6}));
  EXPECT_TRUE(HypervolumeCurve({}, {4, 4}).empty());
}

TEST(HypervolumeCurve, EqualsHypervolumeOfEachBeginning) {
  for (int i = 0; i < 60; ++i) {
    Rng rng(4, i, "points");
    const std::size_t objectives = 1 + rng.Below(4);
    const auto points = RandomPoints(rng, 15, objectives);
    const Point reference(objectives, 0.9);
    const std::vector<double> curve = HypervolumeCurve(points, reference);
    ASSERT_EQ(curve.size(), points.size());
    for (std::size_t k = 0; k < points.size(); ++k) {
      const std::vector<Point> beginning(
          points.begin(), points.begin() + static_cast<std::ptrdiff_t>(k) + 1);
      EXPECT_NEAR(curve[k], Hypervolume(beginning, reference), 1e-12);
    }
  }
}

TEST(Coverage, HandWorked) {
  const std::vector<Point> a = {{1, 3}, {3, 1}};
  const std::vector<Point> b = {{1, 3}, {2, 4}, {2, 2}, {4, 1}};
  EXPECT_DOUBLE_EQ(Coverage(a, b), 3.0 / 4);  // all but (2, 2)
  EXPECT_DOUBLE_EQ(Coverage(b, a), 1.0 / 2);  // the equal one
  EXPECT_DOUBLE_EQ(Coverage(a, a), 1);
  EXPECT_DOUBLE_EQ(Coverage({}, a), 0);
  EXPECT_DOUBLE_EQ(Coverage(a, {}), 0);
}

TEST(ExtremePoints, HandWorked) {
  const std::vector<Point> points = {{1, 8}, {3, 2}, {2, 9}};
  EXPECT_EQ(BestPoint(points), (Point{1, 2}));
  EXPECT_EQ(WorstPoint(points), (Point{3, 9}));
}

}  // namespace
}  // namespace hone
