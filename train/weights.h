#pragma once

#include <cstdint>
#include <string>

#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"

namespace hone {

// A network's untrained weights, f32, by the names that the network asks
// for: what TrainNetwork starts from under the same seed.
NamedTensors InitialWeights(const Architecture& architecture,
                            const TaskShape& task, std::uint64_t seed);

// Throws: Error{kIntegrity} naming `where` and the weight when one that the
// network asks for is missing or of another shape, or when one is left over.
void CheckWeights(const NamedTensors& weights, const Architecture& architecture,
                  const TaskShape& task, const std::string& where);

}  // namespace hone
