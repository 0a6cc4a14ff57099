#pragma once

#include <filesystem>
#include <memory>

#include "eval/engine/openvino_common.h"

namespace hone {

// model.onnx of `folder` as a decoder, and encoder.onnx where it is there.
// `core` must outlive the result.
std::unique_ptr<EngineDecoder> LoadOpenVinoDecoder(
    ov::Core& core, const std::filesystem::path& folder,
    const EngineOptions& options);

}  // namespace hone
