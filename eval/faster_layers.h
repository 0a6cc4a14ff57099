#pragma once

#include <string>
#include <vector>

#include "eval/latency_table.h"
#include "space/architecture.h"

namespace hone {

// The architecture with those linear layers in f32 that the engine multiplies
// faster so than at their precision: small ones, mostly. Each distinct block,
// whatever its attention, is timed in a network of its own: as it is, with each
// group of layers that read the same tensor in f32, with all of them, and with
// the groups that gained together. What gained together is left in f32, or all
// of them where that is faster still. 1 % of the network is noise, and changes
// nothing.
Architecture WithF32WhereFaster(const Architecture& architecture,
                                const LatencyTable& latencies);

// The names of layers that are low-bit in `asked` and f32 in `made`:
// "encoder.0.attention.query". Requires: the same blocks but for precisions.
std::vector<std::string> LayersLeftInF32(const Architecture& asked,
                                         const Architecture& made);

}  // namespace hone
