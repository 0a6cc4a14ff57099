#pragma once

#include <map>
#include <string>
#include <vector>

#include "eval/latency_table.h"
#include "eval/measurement.h"
#include "space/architecture.h"

namespace hone {

// The architecture with those linear layers in f32 that the engine multiplies
// faster so than at their precision: small ones, mostly. Each distinct block,
// whatever its attention, is timed in a network of its own (of a translator
// beside the first block of the other side): as it is, with each group of
// layers that read the same tensor in f32, with all of them, and with the
// groups that gained together. What gained together is left in f32, or all of
// them where that is faster still. 2 % of the network is noise, and changes
// nothing.
Architecture WithF32WhereFaster(const Architecture& architecture,
                                const LatencyTable& latencies);

// What a trial's environment says of the file's precisions, where they are not
// those of its architecture: "f32 up=w8a8" for "precision of encoder.0". And
// the architecture of the file of a trial with this outcome; throws
// Error{kUsage} for an entry that is no precision of the block.
using Environment = std::map<std::string, std::string>;
Environment PrecisionEntries(const Architecture& exported);
Architecture ExportedArchitecture(const Architecture& architecture,
                                  const Outcome& outcome);

// The names of layers that are low-bit in `asked` and f32 in `made`:
// "encoder.0.attention.query". Requires: the same blocks but for precisions.
std::vector<std::string> LayersLeftInF32(const Architecture& asked,
                                         const Architecture& made);

}  // namespace hone
