#pragma once

#include <tuple>
#include <vector>

#include "search/pareto.h"
#include "search/search_algorithm.h"
#include "space/architecture.h"

namespace hone {

// A finished trial as a parent.
struct Individual {
  Architecture architecture;
  Point point;           // objectives, to be minimised
  double violation = 0;  // of the constraints on measured metrics
  int rank = 0;
  double crowding = 0;

  // Smaller is fitter.
  auto Fitness() const { return std::tuple(violation, rank, -crowding); }
};

// Of the trials that are complete, in order; not ranked yet.
std::vector<Individual> IndividualsOf(const std::vector<Trial>& trials,
                                      const AlgorithmContext& context);

// Ranks feasible individuals by domination, with crowding distances within a
// rank; infeasible ones differ by violation alone (Deb et al. 2002, VI).
void RankIndividuals(std::vector<Individual>& individuals);
// The same, and puts the fittest first; equals keep their order.
void SortByFitness(std::vector<Individual>& individuals);

}  // namespace hone
