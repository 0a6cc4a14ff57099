#pragma once

#include <vector>

#include "search/pareto.h"

namespace hone {

// Hypervolumes that mean something: each objective is scaled so that its best
// value on a front is 0 and its worst is 1, whatever its unit, and the
// reference point is 1.1 everywhere, so that the ends of the front count too.
// A hypervolume is the share of the box from 0 to the reference, between 0 and
// 1. Two are comparable when they share the scale: take it from the front of
// all that is compared.
class FrontScale {
 public:
  // How far beyond the worst value the reference lies, as a share of the range.
  static constexpr double kMargin = 0.1;

  // Requires: `front` is not empty.
  explicit FrontScale(const std::vector<Point>& front);

  // Of points none of which is better than the front's best anywhere.
  double Hypervolume(const std::vector<Point>& points) const;
  // Of the first one, two, ... of them.
  std::vector<double> HypervolumeCurve(const std::vector<Point>& points) const;

  // In the objectives' own units, minimised.
  const Point& best() const { return best_; }
  const Point& reference() const { return reference_; }

 private:
  double Box() const;

  Point best_;
  Point reference_;
};

}  // namespace hone
