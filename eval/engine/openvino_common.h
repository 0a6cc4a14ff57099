#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <openvino/openvino.hpp>

#include "eval/engine/cpu.h"
#include "eval/engine/engine.h"
#include "space/base/error.h"

namespace hone {

// What the OpenVINO engine's models and decoders share.

inline constexpr char kOpenVinoDevice[] = "CPU";

bool ComputesInBf16(const ov::Core& core);
// Fixed threads, one stream, no pinning; f32 that stays f32, or bf16 where the
// file asks for it. Throws Error{kUsage} where the CPU has none.
ov::CompiledModel Compiled(ov::Core& core,
                           const std::shared_ptr<ov::Model>& model,
                           const std::string& file,
                           const EngineOptions& options);
// A metadata entry of the file; empty where it is missing.
std::string EntryOf(const ov::Model& model, const char* key);
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
