#pragma once

#include <cstddef>
#include <vector>

namespace hone {

// Points to be minimised in every coordinate; all have the same length.
using Point = std::vector<double>;

// No worse anywhere and better somewhere.
bool Dominates(const Point& a, const Point& b);

// Indices of the points that none dominates, ascending. Equal points are kept.
std::vector<std::size_t> ParetoFront(const std::vector<Point>& points);

// The rank of each point: 0 for the front, 1 for the front without those, and
// so on (Deb et al. 2002, III-A).
std::vector<int> NonDominatedRanks(const std::vector<Point>& points);

// How far apart a point's neighbours are, summed over the objectives, each
// scaled by its range; infinite at the ends (Deb et al. 2002, III-B).
std::vector<double> CrowdingDistances(const std::vector<Point>& points);

// The volume that the points dominate below `reference`, exact for any number
// of objectives, by recursive slicing (While et al. 2006, HSO). Points that do
// not lie below the reference in every coordinate add nothing.
double Hypervolume(const std::vector<Point>& points, const Point& reference);

// The same of the first one, two, ... of the points: never less than before.
// Each adds the volume of its own box without what others dominate of it (While
// et al. 2012, WFG, "exclusive hypervolume").
std::vector<double> HypervolumeCurve(const std::vector<Point>& points,
                                     const Point& reference);

// C(A, B): the share of the points of `b` that are dominated by, or equal to,
// some point of `a` (Zitzler & Thiele 1999, definition 3); 0 when `b` is empty.
// C(A, B) + C(B, A) is not 1: of points that neither covers it says nothing.
double Coverage(const std::vector<Point>& a, const std::vector<Point>& b);

// The best and the worst value of each objective among the points.
Point BestPoint(const std::vector<Point>& points);
Point WorstPoint(const std::vector<Point>& points);

}  // namespace hone
