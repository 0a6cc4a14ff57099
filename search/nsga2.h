#pragma once

#include <cstdint>
#include <memory>

#include "search/search_algorithm.h"

namespace hone {

// Parameters of NSGA-II.
struct Nsga2Options {
  std::int64_t population = 16;
  double crossover_rate = 0.5;  // else the child is a mutated parent
  double mutation_rate = 0.15;  // of each gene
  double fresh_share = 0.1;     // of suggestions that are random samples
};

// NSGA-II (Deb et al. 2002), steady by batches: parents are chosen by binary
// tournament on (violation, rank, crowding distance) among the best
// `population` trials so far, with constraint domination (section VI). Failed
// trials are never parents. The first `population` suggestions are random
// samples.
std::unique_ptr<SearchAlgorithm> MakeNsga2(const AlgorithmContext& context,
                                           const Nsga2Options& options);

}  // namespace hone
