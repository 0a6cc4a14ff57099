#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "eval/export/onnx_reader.h"

namespace hone {

// Computes a node's output from its inputs, which are undefined where an
// optional one is missing.
using TorchOperation =
    std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

// An operation of ONNX's standard domain as LibTorch computes it, for those
// that the exporter writes (onnx_ops.h). Follows the operators' specification
// (onnx, Operators.md, opset 21); 4-bit elements stand one in a byte.
// Throws Error{kUsage} naming the operation when it is another one, or has an
// attribute that is not served.
TorchOperation MakeTorchOperation(const ReadNode& node);

// A constant of a file, 4-bit elements as bytes. Throws Error{kUsage} for
// element types that the exporter does not write.
at::Tensor ConstantTensor(const std::string& name, const ReadTensor& constant);

// "f32", "u8", "i64": as engines call element types.
std::string ElementName(const at::Tensor& tensor);

}  // namespace hone
