#include "search/pareto.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "space/base/error.h"

namespace hone {
namespace {

std::vector<Point> Front(const std::vector<Point>& points) {
  std::vector<Point> front;
  for (const std::size_t index : ParetoFront(points)) {
    front.push_back(points[index]);
  }
  return front;
}

// Slices along the last coordinate; below a slice lie the points at or under
// it, with one coordinate less.
double Slice(std::vector<Point> points, Point reference) {
  if (points.empty()) return 0;
  if (reference.size() == 1) {
    double lowest = reference[0];
    for (const Point& point : points) lowest = std::min(lowest, point[0]);
    return reference[0] - lowest;
  }
  points = Front(points);
  std::sort(points.begin(), points.end(),
            [](const Point& a, const Point& b) { return a.back() < b.back(); });
  const double top = reference.back();
  reference.pop_back();
  double volume = 0;
  std::vector<Point> below;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double next = i + 1 < points.size() ? points[i + 1].back() : top;
    const double height = next - points[i].back();
    below.emplace_back(points[i].begin(), points[i].end() - 1);
    if (height > 0) volume += height * Slice(below, reference);
  }
  return volume;
}

// What each point dominates of the box that `corner` dominates.
std::vector<Point> Limited(const std::vector<Point>& points,
                           const Point& corner) {
  std::vector<Point> limited = points;
  for (Point& point : limited) {
    for (std::size_t i = 0; i < corner.size(); ++i) {
      point[i] = std::max(point[i], corner[i]);
    }
  }
  return limited;
}

// Whether one of the points equals or dominates `point`.
bool AnyCovers(const std::vector<Point>& points, const Point& point) {
  return std::any_of(points.begin(), points.end(), [&](const Point& other) {
    return other == point || Dominates(other, point);
  });
}

std::vector<std::size_t> LexicographicOrder(const std::vector<Point>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return points[a] < points[b];
  });
  return order;
}

template <typename Choose>
Point Extreme(const std::vector<Point>& points, Choose choose) {
  HONE_CHECK(!points.empty());
  Point extreme = points[0];
  for (const Point& point : points) {
    HONE_CHECK_EQ(point.size(), extreme.size());
    for (std::size_t i = 0; i < extreme.size(); ++i) {
      extreme[i] = choose(extreme[i], point[i]);
    }
  }
  return extreme;
}

}  // namespace

bool Dominates(const Point& a, const Point& b) {
  HONE_CHECK_EQ(a.size(), b.size());
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better |= a[i] < b[i];
  }
  return better;
}

std::vector<std::size_t> ParetoFront(const std::vector<Point>& points) {
  // In lexicographic order only an earlier point can dominate a later one, and
  // if any does, one of the front so far does.
  std::vector<std::size_t> front;
  for (const std::size_t index : LexicographicOrder(points)) {
    const bool dominated =
        std::any_of(front.begin(), front.end(), [&](std::size_t other) {
          return Dominates(points[other], points[index]);
        });
    if (!dominated) front.push_back(index);
  }
  std::sort(front.begin(), front.end());
  return front;
}

// In lexicographic order only an earlier point can dominate a later one. What a
// front does not dominate, no front behind it does, so that a point's place is
// found by halving (Zhang et al. 2015, ENS-BS).
std::vector<int> NonDominatedRanks(const std::vector<Point>& points) {
  std::vector<int> ranks(points.size(), 0);
  std::vector<std::vector<std::size_t>> fronts;
  for (const std::size_t index : LexicographicOrder(points)) {
    const auto place = std::partition_point(
        fronts.begin(), fronts.end(), [&](const auto& front) {
          return std::any_of(front.rbegin(), front.rend(),
                             [&](std::size_t other) {
                               return Dominates(points[other], points[index]);
                             });
        });
    ranks[index] = static_cast<int>(place - fronts.begin());
    if (place == fronts.end()) {
      fronts.push_back({index});
    } else {
      place->push_back(index);
    }
  }
  return ranks;
}

std::vector<double> CrowdingDistances(const std::vector<Point>& points) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  std::vector<double> distances(points.size(), 0);
  if (points.empty()) return distances;
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t axis = 0; axis < points[0].size(); ++axis) {
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) {
                       return points[a][axis] < points[b][axis];
                     });
    distances[order.front()] = distances[order.back()] = kInfinite;
    const double range =
        points[order.back()][axis] - points[order.front()][axis];
    if (range <= 0) continue;
    for (std::size_t i = 1; i + 1 < order.size(); ++i) {
      distances[order[i]] +=
          (points[order[i + 1]][axis] - points[order[i - 1]][axis]) / range;
    }
  }
  return distances;
}

double Hypervolume(const std::vector<Point>& points, const Point& reference) {
  HONE_CHECK(!reference.empty());
  std::vector<Point> inside;
  for (const Point& point : points) {
    HONE_CHECK_EQ(point.size(), reference.size());
    bool below = true;
    for (std::size_t i = 0; i < point.size(); ++i) {
      below &= point[i] < reference[i];
    }
    if (below) inside.push_back(point);
  }
  return Slice(std::move(inside), reference);
}

std::vector<double> HypervolumeCurve(const std::vector<Point>& points,
                                     const Point& reference) {
  std::vector<double> curve;
  std::vector<Point> front;
  double volume = 0;
  for (const Point& point : points) {
    if (!AnyCovers(front, point)) {
      volume += Hypervolume({point}, reference) -
                Hypervolume(Limited(front, point), reference);
      std::erase_if(
          front, [&](const Point& other) { return Dominates(point, other); });
      front.push_back(point);
    }
    curve.push_back(volume);
  }
  return curve;
}

double Coverage(const std::vector<Point>& a, const std::vector<Point>& b) {
  if (b.empty()) return 0;
  const auto covered =
      std::count_if(b.begin(), b.end(),
                    [&](const Point& point) { return AnyCovers(a, point); });
  return static_cast<double>(covered) / static_cast<double>(b.size());
}

Point BestPoint(const std::vector<Point>& points) {
  return Extreme(points, [](double a, double b) { return std::min(a, b); });
}

Point WorstPoint(const std::vector<Point>& points) {
  return Extreme(points, [](double a, double b) { return std::max(a, b); });
}

}  // namespace hone
