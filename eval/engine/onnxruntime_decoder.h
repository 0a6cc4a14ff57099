#pragma once

#include <filesystem>
#include <memory>

#include "eval/engine/onnxruntime_session.h"

namespace hone {

// model.onnx of `folder` as a decoder, and encoder.onnx where it is there, in
// one worker process. What is remembered stays there between steps.
std::unique_ptr<EngineDecoder> LoadOnnxRuntimeDecoder(
    const OnnxRuntimeOptions& runtime, const std::filesystem::path& folder,
    const EngineOptions& options);

}  // namespace hone
