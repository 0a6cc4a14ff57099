#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/architecture.h"

namespace hone {

// The linear layers of a block, and what a BlockSpec says of each.

// Those that the block has, in declaration order: cross-attention's where it
// has one, the gate with SwiGLU.
std::vector<LinearRole> LinearRolesOf(const BlockSpec& block);

// The inputs and outputs of a layer, factored or not.
struct LinearSize {
  std::int64_t in = 0;
  std::int64_t out = 0;
};
LinearSize LinearSizeOf(const StemSpec& stem, const BlockSpec& block,
                        LinearRole role);
// Whether the block's rank makes a product of any of its layers.
bool HasFactoredLayer(const StemSpec& stem, const BlockSpec& block);

// The precision of one layer (of both factors where it has a rank), and of all
// that there are.
Precision PrecisionOf(const BlockSpec& block, LinearRole role);
LinearPrecisions PrecisionsOf(const BlockSpec& block);
// Gives each layer its precision, written in the one way that CheckArchitecture
// takes. What is of no layer of the block is left out. Requires: one for each
// layer.
void SetPrecisions(const LinearPrecisions& precisions, BlockSpec& block);
// All linear layers of blocks at one precision.
Architecture WithPrecision(Architecture architecture,
                           const Precision& precision);
// "w8a8", or "w8a8 query=f32 cross.key=w4 down=w4".
std::string PrecisionText(const BlockSpec& block);
// Its inverse: gives the layers these precisions. Throws Error{kUsage} where
// the text is none of such a block.
void SetPrecisionText(const std::string& text, BlockSpec& block);

// The block with everything written in the one way: precisions, head_dim 0
// where it is d_model / heads, rank 0 where no layer is factored. Equal
// networks have equal canonical blocks.
BlockSpec Canonical(const StemSpec& stem, BlockSpec block);

}  // namespace hone
