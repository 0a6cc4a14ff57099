#pragma once

#include <vector>

#include "space/search_space.h"

namespace hone {

// A vector of choice indices, of one length for all members of a space:
// d_model, positions, norm, norm place, output, depth of encoder and of
// decoder, the token table's precision and rank, then for each of the largest
// numbers of blocks: attention (kind and heads), width, activation, precision,
// cross-attention, and what the space leaves a choice of: head_dim,
// attention_products, rank, and with precision_of = "linear" the precision of
// every role (the one before is then that of queries). Absent blocks and layers
// hold -1. Decode(Encode(a)) == a for every
// member of the space.
std::vector<int> Encode(const SearchSpace& space,
                        const Architecture& architecture);
// Throws Error{kUsage} for an index out of range.
Architecture Decode(const SearchSpace& space, const std::vector<int>& genes);

}  // namespace hone
