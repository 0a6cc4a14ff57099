#pragma once

#include <cstdint>

#include "space/base/tensor_data.h"

namespace hone {

// A student's token embedding from its teacher's: the rows, centred, projected
// on their first `dim` principal components, which is the best approximation of
// that rank in squared error (Eckart & Young 1936). Where `dim` exceeds the
// teacher's width the further columns are zero. Each component's sign is fixed
// (its largest entry is positive), so the result is a function of the input.
// Shapes: f32 [V,D] -> f32 [V,dim].
TensorData ProjectEmbedding(const TensorData& teacher_VD, std::int64_t dim);

}  // namespace hone
