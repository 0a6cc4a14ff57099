#pragma once

#include <cstdint>
#include <vector>

#include "space/architecture.h"

namespace hone {

// The architectures on the way from `larger` to `smaller`, `smaller` last, in
// at most `rounds` steps; each can be cut out of the one before
// (CheckCanShrink). Size number k of R is a (b / a)^(k/R), rounded, between a
// and b: each step takes the same share of what is left, and not the same
// number, which would be a growing one and would make the last step the
// hardest. Where the number of blocks changes, blocks on the way are alike,
// their sizes between the least of `larger` and the largest of `smaller`.
// d_model stays a multiple of the heads of cross-attention, and a rank comes
// with the last step. Steps that change nothing are left out.
// Requires: CheckCanShrink(larger, smaller).
std::vector<Architecture> ShrinkPath(const Architecture& larger,
                                     const Architecture& smaller,
                                     std::int64_t rounds);

}  // namespace hone
