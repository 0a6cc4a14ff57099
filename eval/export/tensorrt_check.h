#pragma once

#include <string>
#include <vector>

#include "eval/export/onnx_reader.h"

namespace hone {

// A part of a file that TensorRT would refuse, or would not run in int8 where
// the file stores 8 bits.
struct TensorRtViolation {
  std::string node;  // by the value that it makes; "" for the file
  std::string rule;  // a short word
  std::string what;  // what is wrong, and what would be right
  bool operator==(const TensorRtViolation&) const = default;
};

// Checks a file against the rules of docs/tensorrt.md, from the file alone:
//   opset          at most 20, which releases before the newest read too
//   zero-point     every quantizer is symmetric: its zero point is 0
//   type           quantized values are s8
//   scale          scales are constants, positive and finite; of activations
//                  one for a tensor
//   axis           a weight's scales go along its output channels
//   block          no scales for blocks of inputs
//   packed         quantized weights are constants, not made by other nodes
//   range          quantized weights lie in -127..127
//   both-operands  a product has both operands quantized, or none
// A product is a MatMul or Gemm. Operations are not checked against the list of
// those that TensorRT has.
std::vector<TensorRtViolation> CheckForTensorRt(const ReadModel& model);

}  // namespace hone
