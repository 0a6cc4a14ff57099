#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/export/onnx_writer.h"
#include "space/base/tensor_data.h"
#include "space/network/network_ops.h"

namespace hone {

// The interpreter whose values are edges of an ONNX graph. Weights come from
// `weights` as QuantizeClassifier lays them out and must outlive it. Every
// shape stays dynamic in batch and tokens.
//
// Linear layers are spelled so that OpenVINO runs them in the intended
// precision and ONNX Runtime still computes the same (docs/measurement.md):
//   f32   MatMul(x, Transpose(W)) + b
//   w8a8  MatMul(DQ(Q(x)), Transpose(DQ(W, axis 0))) + DQ(b); one Q/DQ pair
//         serves all linears that quantize one value alike
//   w4    MatMul(x, DQ(W^T, axis 0, block_size)) + b
class OnnxOps {
 public:
  struct Value {
    std::string name;
    std::int64_t width = 0;  // size of the last axis; 0 for token numbers
    std::int64_t heads = 1;  // size of the axis that SplitHeads made
  };

  OnnxOps(OnnxWriter& writer, const NamedTensors& weights)
      : writer_(writer), weights_(weights) {}

  // The graph's input, int64 ["batch","tokens"].
  Value Tokens();
  // The graph's output: `x` under the name "logits", f32 ["batch", width].
  void Logits(const Value& x);

  Value Embedding(const std::string& name, const Value& tokens_BT,
                  std::int64_t rows, std::int64_t dim);
  Value AddPositions(const std::string& name, const Value& x_BTD,
                     std::int64_t rows, std::int64_t dim);
  Value Linear(const std::string& name, const Value& x, const LinearSpec& spec);
  Value LayerNorm(const std::string& name, const Value& x, std::int64_t dim);
  Value Gelu(const Value& x);
  Value Add(const Value& x, const Value& y);
  Value Dropout(const Value& x) { return x; }
  Value SplitHeads(const Value& x_BTD, std::int64_t heads);
  Value MergeHeads(const Value& x_BHTE);
  Value ScaledDotProductAttention(const Value& q_BHTE, const Value& k_BHTE,
                                  const Value& v_BHTE, std::int64_t window);
  Value MeanTokens(const Value& x_BTD);
  void Tap(const std::string&, const Value&) {}

 private:
  // A node named SCOPE/OP, or OP_<number> where the network gives no name.
  std::string Node(const std::string& op, const std::vector<std::string>& in,
                   const OnnxAttributes& attributes = {},
                   const std::string& scope = "");
  // Throws Error{kInternal} when `name` is missing or of another type or shape.
  const TensorData& Weight(const std::string& name, DType dtype,
                           const std::vector<std::int64_t>& shape) const;
  // The weight as a constant of the graph.
  std::string WeightConstant(const std::string& name, DType dtype,
                             const std::vector<std::int64_t>& shape);
  std::string Integers(const std::vector<std::int64_t>& values);
  std::string Integer(std::int64_t value);
  std::string Real(float value);

  std::string Int8Product(const std::string& name, const Value& x,
                          const LinearSpec& spec);
  std::string Int8Bias(const std::string& name, const LinearSpec& spec);
  std::string Int4Product(const std::string& name, const Value& x,
                          const LinearSpec& spec);
  std::string Quantized(const std::string& name, const std::string& x);
  // int64 [1] with the number of tokens.
  std::string TokenCount();
  // f32 [T,T]: 0 within the window, -infinity outside. One for each window.
  std::string WindowMask(std::int64_t window);

  OnnxWriter& writer_;
  const NamedTensors& weights_;
  std::int64_t nodes_ = 0;
};
static_assert(NetworkOps<OnnxOps>);

}  // namespace hone
