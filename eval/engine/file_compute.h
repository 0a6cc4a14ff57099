#pragma once

#include <map>
#include <string>

#include "eval/engine/engine.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"

namespace hone {

// Whether a file with these metadata entries is to be computed in bf16.
inline bool AsksForBf16(const std::map<std::string, std::string>& metadata,
                        const EngineOptions& options) {
  const auto compute = metadata.find(kComputeKey);
  return options.bf16 && compute != metadata.end() &&
         compute->second == Name(Compute::kBf16);
}

// The refusal of an engine that computes in f32 alone. `engine` as messages
// call it.
inline Error NoBf16(const std::string& file, const std::string& engine) {
  return Error(ErrorCode::kUsage,
               file + ": " + engine +
                   " cannot load this model: it is to be computed in bf16, and "
                   "this engine computes in f32 alone; use openvino");
}

}  // namespace hone
