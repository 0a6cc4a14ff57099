#pragma once

#include <memory>

#include "search/search_algorithm.h"

namespace hone {

// The controls of every comparison.

// Independent samples of the space (Li & Talwalkar 2019).
std::unique_ptr<SearchAlgorithm> MakeRandomSearch(
    const AlgorithmContext& context);

// Samples whose blocks are all alike, encoder and decoder apart: what people
// reach by hand when they scale depth, width and bits of one block. Ends when
// there are no more.
std::unique_ptr<SearchAlgorithm> MakeUniformScaling(
    const AlgorithmContext& context);

}  // namespace hone
