#pragma once

#include <cstdint>
#include <memory>

#include "search/search_algorithm.h"

namespace hone {

struct RegularizedEvolutionOptions {
  std::int64_t population = 16;
  std::int64_t tournament = 4;  // individuals that compete to be a parent
  double mutation_rate = 0.15;  // of each gene
};

// Regularized evolution (Real et al. 2019, algorithm 1): the fittest of a few
// random individuals has a mutated child, and the oldest dies, however fit.
// Fitness is that of NSGA-II among those who compete (search/individual.h). The
// first `population` suggestions are random samples.
std::unique_ptr<SearchAlgorithm> MakeRegularizedEvolution(
    const AlgorithmContext& context,
    const RegularizedEvolutionOptions& options);

}  // namespace hone
