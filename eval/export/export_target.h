#pragma once

namespace hone {

// For whom a file is spelled.
//   kOnnx      any program that reads ONNX; docs/measurement.md
//   kTensorRt  TensorRT, which wants activations s8 around zero and opset 20;
//              docs/tensorrt.md
enum class ExportTarget { kOnnx, kTensorRt };

}  // namespace hone
