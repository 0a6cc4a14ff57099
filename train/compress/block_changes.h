#pragma once

#include <string>
#include <vector>

#include "space/architecture.h"

namespace hone {

// One thing done to one block of a network, the rest as it is.
struct BlockChange {
  // A precision's word, "half the neurons", "half the heads", "rank 32" or
  // "no block".
  std::string kind;
  std::string block;  // "encoder.0"
  Architecture architecture;
  // Made of other weights than the network's own, cut out of those or factored;
  // else the same weights are rounded.
  bool cut = false;
  bool drops_block = false;
  // Why it cannot be made; empty where it can.
  std::string refusal = "";
};

// For each block each precision, half of its neurons, half of its heads, the
// rank d_model / 4 (at which a square layer keeps half of its parameters), and
// the block gone, in the order of kinds and then of blocks.
// Requires: `network` is in f32.
std::vector<BlockChange> BlockChanges(const Architecture& network,
                                      const std::vector<Precision>& precisions);

}  // namespace hone
