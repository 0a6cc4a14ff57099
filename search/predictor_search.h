#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "search/search_algorithm.h"

namespace hone {

struct PredictorSearchOptions {
  std::int64_t population = 16;  // of the best trials, parents of candidates
  double crossover_rate = 0.5;   // of candidates; else they are mutated
  double mutation_rate = 0.15;   // of each gene
  double fresh_share = 0.1;      // of suggestions that are random samples
  std::size_t most = 600;        // trials that a model is fitted to
};

// Lets models of the trials so far choose. The first batch is the
// space's largest and smallest architecture and random samples. Once four
// trials are complete, a Gaussian process over Features() (space/features.h) is
// fitted to each objective and each constraint, on a logarithmic scale where
// all values are positive, and each suggestion is the candidate that promises
// most of some hundred: random members of the space, and children of the front
// by the operators of NSGA-II. Features are scaled by random members of the
// space, so that what the trials have not varied yet is in doubt; those that
// depend on precisions may count for less than the others. What one
// promises is the hypervolume that its measured values, with their noise, are
// expected to add to the front (search/expected_hypervolume.h) times the
// probability that they satisfy the constraints. A suggestion of the same batch
// counts as a trial with the values that the models expect (Ginsbourger et al.
// 2010, the Kriging believer), so that a batch spreads. Failed trials teach
// nothing; of more than `most` complete ones the models see the fittest and the
// last.
std::unique_ptr<SearchAlgorithm> MakePredictorSearch(
    const AlgorithmContext& context, const PredictorSearchOptions& options);

}  // namespace hone
