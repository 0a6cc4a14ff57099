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

// The worst value of each objective among the points: with it the ends of a
// front add nothing, so comparisons share one reference over both sets.
Point WorstPoint(const std::vector<Point>& points);

}  // namespace hone
