#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <openvino/openvino.hpp>

#include "eval/engine/cpu.h"
#include "eval/engine/engine.h"
#include "space/base/error.h"

namespace hone {

// What the OpenVINO engine's models and decoders share.

inline constexpr char kOpenVinoDevice[] = "CPU";

// f32 that stays f32, fixed threads, one stream, no pinning.
ov::AnyMap Properties(const EngineOptions& options);
std::vector<float> Floats(const ov::Tensor& tensor);
// What runs in the models, from their runtime graphs.
std::vector<KernelCount> KernelsOf(
    const std::vector<ov::CompiledModel>& models);

// What `request` of `model` ran in `inferences` inferences since it was made.
// Requires: properties with `profile`.
std::vector<EngineNode> NodesOf(const std::string& file,
                                const ov::CompiledModel& model,
                                const ov::InferRequest& request,
                                std::int64_t inferences);

// Runs `work`, turning the engine's exceptions into ours.
template <typename Work>
auto WithFileName(const std::string& file, const char* action, Work work) {
  try {
    return work();
  } catch (const ov::Exception& exception) {
    throw Error(ErrorCode::kUsage, file + ": OpenVINO cannot " + action +
                                       " this model: " + exception.what());
  }
}

}  // namespace hone
