#pragma once

#include <memory>

#include "eval/engine/engine.h"

namespace hone {

// LibTorch as an engine: the nodes of an exported encoder one by one, by
// LibTorch's kernels (torch_operations.h). A third reading of the file beside
// OpenVINO's and ONNX Runtime's, and slower than both: what counts is that it
// shares no code with them.
//   layers with 8-bit activations, weights s8 with a scale for each output or
//   for all: in integers by oneDNN (torch_int8_linear.h), from the u8 that the
//   file's QuantizeLinear makes, which is rounded exactly as ONNX says
//   all others: weights are dequantized once, when loading, and multiply in f32
// What depends on constants alone is computed when loading, and with a fixed
// shape what depends on shapes too. EngineOptions::activation_group has no
// effect: activations that the file keeps in float stay in float. A number of
// threads that is not LibTorch's own is set for each inference and put back,
// which also empties oneDNN's cache of kernels: such an inference is slow.
// Kernels: the ONNX operation, "onednn::qlinear_pointwise", "at::linear" or
// "at" as primitive, and the element type of what it reads (u8), or makes.
// LoadDecoder throws Error{kUsage}: encoders only.
std::unique_ptr<Engine> MakeLibTorchEngine();

}  // namespace hone
