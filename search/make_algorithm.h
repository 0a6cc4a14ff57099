#pragma once

#include <memory>

#include "search/search_algorithm.h"
#include "search/study_options.h"

namespace hone {

// The algorithm that options.algorithm names, with its parameters.
// Throws Error{kUsage} with a suggestion for an unknown name.
std::unique_ptr<SearchAlgorithm> MakeSearchAlgorithm(
    const AlgorithmContext& context, const StudyOptions& options);

}  // namespace hone
