#pragma once

#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "train/compress/importance.h"

namespace hone {

// Whether a network can be sorted: no layer is a product of two matrices.
bool CanSort(const Architecture& architecture);

// A network of the same function whose channels of the stream, heads and
// neurons stand in the order of their importance, the most important first, so
// that the first of each lose least (Cai et al. 2020, Once-for-All, 3.3). f32
// weights. What cannot be moved stays where it is: channels under sinusoids or
// a table of a rank, heads that belong together (HeadsCanGo), dimensions within
// cross-attention. Requires: CanSort.
NamedTensors SortByImportance(const Architecture& architecture,
                              const NamedTensors& weights,
                              const Importance& importance);

}  // namespace hone
