#pragma once

#include "space/search_space.h"

namespace hone {

// Genetic variation of architectures. Every result is a member of the space.

// Redraws each gene (of the stem, the depths and each block; space/encoding.h)
// with probability `rate`, at least one gene. Where layers
// grow, blocks are copied from a random place. Retries until the constraints
// hold and the result differs from the input; after 100 tries samples afresh.
Architecture Mutate(const SearchSpace& space, const Architecture& parent,
                    double rate, Rng& rng);

// Depth-aware uniform crossover, encoder and decoder apart: the child takes the
// stem and the number of layers from either parent and each of its blocks from
// the block at the same relative depth of either parent; what does not fit is
// redrawn. Retries as above, then returns a mutation of `a`.
Architecture Crossover(const SearchSpace& space, const Architecture& a,
                       const Architecture& b, Rng& rng);

}  // namespace hone
