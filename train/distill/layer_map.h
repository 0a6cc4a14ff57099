#pragma once

#include <set>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "train/distill/distillation.h"

namespace hone {

// Two taps that are compared (space/network/transformer.h, attention.h).
struct LayerPair {
  std::string student;
  std::string teacher;
  bool causal = false;  // of a decoder's blocks
  bool operator==(const LayerPair&) const = default;
};

// The hidden states that are compared; none where their weight is 0.
//   last     the last ones of both networks, after the final norm
//   uniform  those, and for every other block i of n, counted from 1, the
//            teacher's block ceil(i m / n) of m, on each side that both have
// Requires: the same topology.
std::vector<LayerPair> HiddenLayers(const Architecture& student,
                                    const Architecture& teacher,
                                    const DistillationOptions& options);

// The queries, keys and values whose relations are compared, of the student's
// last block and one of the teacher's on each side; none where their weight is
// 0. Every attention kind has all three. Throws Error{kUsage}: the teacher has
// no such block. Requires: the same topology.
std::vector<LayerPair> RelationLayers(const Architecture& student,
                                      const Architecture& teacher,
                                      const DistillationOptions& options);

// The taps of the student that the pairs name.
std::set<std::string> StudentTaps(const Architecture& student,
                                  const Architecture& teacher,
                                  const DistillationOptions& options);

}  // namespace hone
