#pragma once

#include <vector>

#include "space/search_space.h"

namespace hone {

// What models of an architecture's quality and latency see of it: a vector of
// one length for all architectures of a task that are built of the space's
// words, of any depth.
//   stem     width (itself, squared, its logarithm, which of the space's), and
//            which of the other choices
//   cost     logarithms of CostOf, of one sequence of the task's longest
//   blocks   sums over the blocks of encoder and decoder, so that what each
//            block adds by itself is linear: for each precision its linear
//            layers, their weights and their inputs and outputs; for each kind
//            of attention its blocks, heads and widths; how often each other
//            choice stands; the blocks of each width of the stem
//   network  which kinds of attention stand anywhere (networks compute some
//            masks once), and how many neighbours differ in precision
// The order of blocks is not seen otherwise.
std::vector<double> Features(const SearchSpace& space,
                             const Architecture& architecture);

}  // namespace hone
