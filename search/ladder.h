#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "search/search_algorithm.h"

namespace hone {

struct LadderOptions {
  // The cheapest first, the full fidelity last.
  std::vector<Fidelity> rungs;
  double reduction = 3;
  bool other_precisions = true;
  std::string rung_precision = {};  // empty: any
  std::string name = {};            // of the whole
};

// Successive halving for several objectives, without waiting (Schmucker et al.
// 2021, MO-ASHA; Li et al. 2020, ASHA, algorithm 2): `make` gives an algorithm
// that proposes at the lowest rung and learns from its trials. Before it is
// asked, as many students as 1/reduction of a rung's trials go on from it to
// the next: the best by domination and then crowding that are feasible and have
// not gone on yet; higher rungs come first. Constraints on quality count at the
// full fidelity alone: what is less trained would break them all. To the full
// fidelity, which takes longest, they go two at a time, side by side. When the
// algorithm has no more, the best of those that are left go on.
//
// Architectures that differ in precision alone are one student, trained once:
// the share, and the two that go together, are counted in students. What is
// trained comes before what is only rounded otherwise, which comes along where
// it is no worse than the last of the students.
//
// With `other_precisions`, what is complete at the full fidelity is proposed
// there again with all blocks at each other precision of the space, before
// anything else. With `rung_precision` `make` gets the space at that precision
// alone, which must be one of it, so that all below are different students.
std::unique_ptr<SearchAlgorithm> MakeLadder(
    const std::function<
        std::unique_ptr<SearchAlgorithm>(const AlgorithmContext&)>& make,
    const AlgorithmContext& context, const LadderOptions& options);

}  // namespace hone
