#pragma once

#include <cstddef>
#include <vector>

#include "search/pareto.h"
#include "space/gaussian_process.h"

namespace hone {

// The hypervolume that a point which is not known yet is expected to add to a
// front: E[Hypervolume(points + Y) - Hypervolume(points)] for a Y of
// independent normal coordinates (Emmerich et al. 2011). Exact for any number
// of objectives: what the points leave free below the reference is cut into
// boxes [l,u), of which Y adds prod_j (max(l_j, Y_j), u_j), so the expectation
// is the sum over boxes of prod_j (psi_j(u_j) - psi_j(l_j)) with psi_j(a) =
// E[max(a - Y_j, 0)]. With n points there are n + 1 boxes for two objectives,
// at most order n^2 for three and n^3 for four.
class ExpectedHypervolume {
 public:
  // Points to be minimised, in any order; those not below the reference in
  // every coordinate count for nothing.
  ExpectedHypervolume(const std::vector<Point>& points, const Point& reference);
  // Requires: a belief for each objective.
  double Improvement(const std::vector<Belief>& beliefs) const;

 private:
  // A box's ends on each axis, as places in levels_.
  struct Side {
    std::size_t low;
    std::size_t high;
  };
  // Adds the boxes that the points leave free on the axes up to `axis`; `box`
  // holds its sides on those behind.
  void Cut(const std::vector<Point>& points, std::size_t axis,
           std::vector<Side>& box);
  std::size_t Place(std::size_t axis, double value) const;

  // Of each axis, ascending: minus infinity, the points' values, the reference.
  std::vector<std::vector<double>> levels_;
  std::vector<Side> boxes_;  // a box after the other, a side for each axis
};

// The probability that a standard normal number is at most x.
double NormalBelow(double x);

}  // namespace hone
