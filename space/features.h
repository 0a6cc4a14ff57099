#pragma once

#include <vector>

#include "space/search_space.h"

namespace hone {

// What models of an architecture's quality and cost see of it: a vector of one
// length for all architectures of a task that are built of the space's words,
// of any depth. Logarithms of the stem's width, of the numbers of blocks and of
// the closed-form cost (CostOf, one sequence of the task's longest); which of
// the space's choices the stem has; and summed over the blocks, of encoder and
// decoder alike: heads, feed-forward widths, how often each choice stands, and
// the multiply-adds of linear layers at each precision. The order of blocks is
// not seen.
std::vector<double> Features(const SearchSpace& space,
                             const Architecture& architecture);

}  // namespace hone
