#include "train/weights.h"

#include "space/base/error.h"
#include "train/eager_ops.h"
#include "train/weight_source.h"

namespace hone {

NamedTensors InitialWeights(const Architecture& architecture,
                            const TaskShape& task, std::uint64_t seed) {
  TrainableWeights weights({.seed = seed});
  Discover(weights, architecture, task);
  return weights.Snapshot();
}

void CheckWeights(const NamedTensors& weights, const Architecture& architecture,
                  const TaskShape& task, const std::string& where) {
  StoredWeights source(weights, at::kCPU);
  try {
    Discover(source, architecture, task);
  } catch (const Error& error) {
    throw Error(ErrorCode::kIntegrity, where + ": " + error.what());
  }
  const NamedTensors needed = InitialWeights(architecture, task, 0);
  for (const auto& [name, tensor] : weights) {
    if (!needed.contains(name)) {
      throw Error(ErrorCode::kIntegrity, where + ": weight '" + name +
                                             "' is not one of the network's");
    }
  }
}

}  // namespace hone
