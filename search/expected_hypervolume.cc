#include "search/expected_hypervolume.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// psi: the mean of what a normal number falls below `level`.
double MeanBelow(double level, const Belief& belief) {
  if (level == -kInfinite) return 0;
  const double gap = level - belief.mean;
  if (belief.deviation <= 0) return std::max(gap, 0.0);
  const double z = gap / belief.deviation;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  return gap * NormalBelow(z) + belief.deviation * density;
}

std::vector<Point> FrontOf(const std::vector<Point>& points) {
  std::vector<Point> front;
  for (const std::size_t index : ParetoFront(points)) {
    front.push_back(points[index]);
  }
  return front;
}

}  // namespace

double NormalBelow(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

ExpectedHypervolume::ExpectedHypervolume(const std::vector<Point>& points,
                                         const Point& reference) {
  HONE_CHECK(!reference.empty());
  std::vector<Point> inside;
  for (const Point& point : points) {
    HONE_CHECK_EQ(point.size(), reference.size());
    if (std::equal(point.begin(), point.end(), reference.begin(),
                   std::less<>())) {
      inside.push_back(point);
    }
  }
  for (std::size_t axis = 0; axis < reference.size(); ++axis) {
    std::vector<double> levels = {-kInfinite, reference[axis]};
    for (const Point& point : inside) levels.push_back(point[axis]);
    std::sort(levels.begin(), levels.end());
    levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
    levels_.push_back(std::move(levels));
  }
  std::vector<Side> box(reference.size());
  Cut(inside, reference.size() - 1, box);
}

std::size_t ExpectedHypervolume::Place(std::size_t axis, double value) const {
  const std::vector<double>& levels = levels_[axis];
  return static_cast<std::size_t>(
      std::lower_bound(levels.begin(), levels.end(), value) - levels.begin());
}

// Slices along the last axis of the points, as Hypervolume does: in its own
// slice and in those above, a point bars what lies beyond it on the axes
// before.
void ExpectedHypervolume::Cut(const std::vector<Point>& points,
                              std::size_t axis, std::vector<Side>& box) {
  std::vector<Point> front = FrontOf(points);
  std::sort(front.begin(), front.end(),
            [](const Point& a, const Point& b) { return a.back() < b.back(); });
  const std::size_t top = levels_[axis].size() - 1;
  box[axis].low = 0;
  if (axis == 0) {
    box[0].high = front.empty() ? top : Place(0, front[0][0]);
    boxes_.insert(boxes_.end(), box.begin(), box.end());
    return;
  }
  std::vector<Point> barring;
  for (const Point& point : front) {
    box[axis].high = Place(axis, point.back());
    if (box[axis].high > box[axis].low) Cut(barring, axis - 1, box);
    box[axis].low = box[axis].high;
    barring.emplace_back(point.begin(), point.end() - 1);
  }
  box[axis].high = top;
  Cut(barring, axis - 1, box);
}

double ExpectedHypervolume::Improvement(
    const std::vector<Belief>& beliefs) const {
  HONE_CHECK_EQ(beliefs.size(), levels_.size());
  std::vector<std::vector<double>> below(levels_.size());
  for (std::size_t axis = 0; axis < levels_.size(); ++axis) {
    for (const double level : levels_[axis]) {
      below[axis].push_back(MeanBelow(level, beliefs[axis]));
    }
  }
  double improvement = 0;
  for (std::size_t first = 0; first < boxes_.size(); first += levels_.size()) {
    double volume = 1;
    for (std::size_t axis = 0; axis < levels_.size(); ++axis) {
      const Side& side = boxes_[first + axis];
      volume *= below[axis][side.high] - below[axis][side.low];
    }
    improvement += volume;
  }
  return improvement;
}

}  // namespace hone
