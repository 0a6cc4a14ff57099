#pragma once

#include <memory>

#include "search/search_algorithm.h"

namespace hone {

// Independent samples of the space: the control of every comparison (Li &
// Talwalkar 2019).
std::unique_ptr<SearchAlgorithm> MakeRandomSearch(
    const AlgorithmContext& context);

}  // namespace hone
