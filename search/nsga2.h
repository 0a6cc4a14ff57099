#pragma once

#include <cstdint>
#include <memory>

#include "search/search_algorithm.h"

namespace hone {

// Parameters of NSGA-II.
struct Nsga2Options {
  std::int64_t population = 16;
  double crossover_rate = 0.5;   // else the child is a mutated parent
  double mutation_rate = 0.15;   // of each gene
  double fresh_share = 0.1;      // of suggestions that are random samples
  std::int64_t mixed_seeds = 0;  // at most so many
};

// NSGA-II (Deb et al. 2002), steady by batches: parents are chosen by binary
// tournament on (violation, rank, crowding distance) among the best
// `population` trials so far, with constraint domination (section VI). Failed
// trials are never parents. The first `population` suggestions are random
// samples, but for the space's largest and smallest architecture.
//
// With `mixed_seeds` the largest is also proposed at every precision; then,
// as their last objective says what a block costs at each and PrecisionErrors
// what it spoils, as many ways of mixing them that no other beats by these sums
// (search/mixed_precision.h).
std::unique_ptr<SearchAlgorithm> MakeNsga2(const AlgorithmContext& context,
                                           const Nsga2Options& options);

}  // namespace hone
