#pragma once

namespace hone {

// The text of onnxruntime_worker.py, which says how to talk to it.
extern const char* const kOnnxRuntimeWorker;

}  // namespace hone
