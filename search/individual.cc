#include "search/individual.h"

#include <algorithm>

namespace hone {

std::vector<Individual> IndividualsOf(const std::vector<Trial>& trials,
                                      const AlgorithmContext& context) {
  std::vector<Individual> individuals;
  for (const Trial& trial : trials) {
    if (trial.state() != TrialState::kComplete) continue;
    individuals.push_back({trial.architecture,
                           MinimizedValues(trial, context.objectives),
                           Violation(trial, context.constraints)});
  }
  return individuals;
}

void RankIndividuals(std::vector<Individual>& individuals) {
  std::vector<std::size_t> feasible;
  std::vector<Point> points;
  for (std::size_t i = 0; i < individuals.size(); ++i) {
    individuals[i].rank = 0;
    individuals[i].crowding = 0;
    if (individuals[i].violation > 0) continue;
    feasible.push_back(i);
    points.push_back(individuals[i].point);
  }
  const std::vector<int> ranks = NonDominatedRanks(points);
  const int last =
      ranks.empty() ? -1 : *std::max_element(ranks.begin(), ranks.end());
  for (int rank = 0; rank <= last; ++rank) {
    std::vector<std::size_t> members;
    std::vector<Point> front;
    for (std::size_t i = 0; i < feasible.size(); ++i) {
      if (ranks[i] != rank) continue;
      members.push_back(feasible[i]);
      front.push_back(points[i]);
    }
    const std::vector<double> crowding = CrowdingDistances(front);
    for (std::size_t i = 0; i < members.size(); ++i) {
      individuals[members[i]].rank = rank;
      individuals[members[i]].crowding = crowding[i];
    }
  }
}

void SortByFitness(std::vector<Individual>& individuals) {
  RankIndividuals(individuals);
  std::stable_sort(individuals.begin(), individuals.end(),
                   [](const Individual& a, const Individual& b) {
                     return a.Fitness() < b.Fitness();
                   });
}

}  // namespace hone
