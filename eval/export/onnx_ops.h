#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/export/export_target.h"
#include "eval/export/onnx_writer.h"
#include "space/base/tensor_data.h"
#include "space/network/network_ops.h"

namespace hone {

struct OnnxOpsOptions {
  bool steps = false;  // of a decoder
  ExportTarget target = ExportTarget::kOnnx;
  Compute compute = Compute::kF32;
};

// The interpreter whose values are edges of an ONNX graph. Weights come from
// `weights` as QuantizeClassifier lays them out and must outlive it. Every
// shape stays dynamic in batch and tokens.
//
// Linear layers are spelled so that OpenVINO runs them in the intended
// precision and ONNX Runtime still computes the same (docs/measurement.md):
//   f32    MatMul(x, Transpose(W)) + b
//   ...a8  MatMul(DQ(Q(x)), W') + b, where b is the integer bias times its
//          scale; one Q/DQ pair serves all linears that quantize one value
//          alike
//   others MatMul(x, W') + b
// with weights W' =
//   w8, w8a8          Transpose(DQ(W, axis 0)), W in INT8
//   w4 in blocks      DQ(W^T, axis 0, block_size), W in INT4; asymmetric UINT4
//   the other ones    Transpose(DQ(Reshape(Gather(table, bytes)))): a byte
//   holds
//                     several codes, and the row of a table that it names their
//                     8-bit levels; three bits in two planes that add. Engines
//                     unpack once, when they load, and then multiply integers.
// Tables of tokens are looked up as they are stored, and only the rows that
// were read become floats: Cast(Gather(codes)) * Gather(scales), between them
// Gather(levels, bytes) where a byte holds several codes. An output layer that
// is tied to one reads the same codes as a linear layer with a scale for each
// output does.
// Products of attention in a8 read DQ(Q(x)) on both sides: s8 without a zero
// point of queries, transposed keys and values, u8 of the softmax. Keys are
// transposed before: ONNX Runtime 1.32 refuses s8 behind a pair.
// For TensorRT a ...a8 layer has s8 codes around zero; other precisions than
// f32 and w8a8 are refused. With compute bf16, weights that are floats are
// stored in bf16, each behind a Cast to f32; scales stay in f32, and so does
// every other value of the graph: what a file says is the computation in f32
// with such weights. That an engine is to compute in bf16 stands in its
// metadata (onnx_export.h). A decoder is written for steps: it reads `tokens`
// new tokens behind what its inputs remember (onnx_export.h lists them).
class OnnxOps {
 public:
  struct Value {
    std::string name;
    std::vector<std::int64_t> shape;  // -1 where dynamic
  };

  OnnxOps(OnnxWriter& writer, const NamedTensors& weights,
          const OnnxOpsOptions& options)
      : writer_(writer),
        weights_(weights),
        steps_(options.steps),
        target_(options.target),
        compute_(options.compute) {}

  // Inputs: int64 ["batch","tokens"]; f32 ["batch","tokens",width].
  Value TokensInput();
  Value FeaturesInput(std::int64_t width);
  // An encoded source that another file made: f32 ["batch",heads,"source",E].
  Value SourceInput(const std::string& name, std::int64_t heads,
                    std::int64_t head_dim);
  // Makes x an output of this name.
  void Output(const std::string& name, const Value& x,
              const std::vector<OnnxDim>& shape);

  Value Embedding(const std::string& name, const Value& tokens_BT,
                  const TableSpec& spec);
  Value Lookup(const std::string& name, const Value& tokens_BT,
               const TableSpec& spec);
  Value Table(const std::string& name, const TableSpec& spec);
  Value Matrix(const std::string& name, std::int64_t rows,
               std::int64_t columns);
  Value RandomFeatures(const std::string& name, std::int64_t rows,
                       std::int64_t columns);
  Value AddPositions(const std::string& name, const Value& x_BTD,
                     std::int64_t rows, std::int64_t dim);
  Value AddSinusoids(const Value& x_BTD, std::int64_t rows, std::int64_t dim);
  Value Rotary(const Value& x_BHTE, std::int64_t rows);
  Value Linear(const std::string& name, const Value& x, const LinearSpec& spec);
  Value LayerNorm(const std::string& name, const Value& x, std::int64_t dim);
  Value RmsNorm(const std::string& name, const Value& x, std::int64_t dim);

  Value Gelu(const Value& x) { return Same("Gelu", x); }
  Value Relu(const Value& x) { return Same("Relu", x); }
  Value Silu(const Value& x) { return Multiply(x, Same("Sigmoid", x)); }
  Value Exp(const Value& x) { return Same("Exp", x); }
  Value EluPlusOne(const Value& x) { return Offset(Same("Elu", x), 1); }
  Value Add(const Value& x, const Value& y) { return Both("Add", x, y); }
  Value Multiply(const Value& x, const Value& y) { return Both("Mul", x, y); }
  Value Divide(const Value& x, const Value& y) { return Both("Div", x, y); }
  Value Scale(const Value& x, double factor);
  Value Offset(const Value& x, double offset);
  Value Dropout(const Value& x) { return x; }

  Value SplitHeads(const Value& x_BTD, std::int64_t heads);
  Value MergeHeads(const Value& x_BHTE);
  Value Transpose(const Value& x, std::int64_t i, std::int64_t j);
  Value Reshape(const Value& x, const std::vector<std::int64_t>& dims);
  Value Pad(const Value& x, std::int64_t axis, std::int64_t before,
            std::int64_t after);
  Value PadToMultiple(const Value& x, std::int64_t axis, std::int64_t multiple);
  Value Slice(const Value& x, std::int64_t axis, std::int64_t begin,
              std::int64_t end);
  Value CutLike(const Value& x, std::int64_t axis, const Value& like,
                std::int64_t like_axis);
  Value Concat(const std::vector<Value>& parts, std::int64_t axis);
  Value TokenOnes(const Value& x);
  Value Constant(const std::string& name, const std::vector<std::int64_t>& dims,
                 const std::vector<float>& values);

  Value MatMul(const Value& x, const Value& y);
  Value Softmax(const Value& x);
  Value Sum(const Value& x, std::int64_t axis);
  Value Max(const Value& x);
  Value RunningSum(const Value& x, std::int64_t axis);
  Value LowerTriangle(const Value& x, std::int64_t diagonal);
  Value ScaledDotProductAttention(const Value& q_BHTE, const Value& k_BKSE,
                                  const Value& v_BKSE,
                                  const AttentionMask& mask);
  Value Masked(const Value& scores_BHTS, const AttentionMask& mask);
  Value RoundOperand(const std::string& name, const Value& x);
  Value RoundShares(const Value& x);
  Value MeanTokens(const Value& x_BTD);

  bool Stepwise() { return steps_; }
  Value Remember(const std::string& name, const Value& x_BKTE);
  std::optional<Value> Carried(const std::string& name,
                               const std::vector<std::int64_t>& dims);
  void Carry(const std::string& name, const Value& x);
  void Tap(const std::string&, const Value&) {}

 private:
  // A node named SCOPE/OP, or OP_<number> where the network gives no name or
  // uses a weight for the second time.
  std::string Node(const std::string& op, const std::vector<std::string>& in,
                   const OnnxAttributes& attributes = {},
                   const std::string& scope = "");
  Value Same(const std::string& op, const Value& x);
  Value Both(const std::string& op, const Value& x, const Value& y);
  Value Reduced(const std::string& op, const Value& x, std::int64_t axis);
  Value Sliced(const Value& x, std::int64_t axis, const std::string& begin,
               const std::string& end);
  // Throws Error{kInternal} when `name` is missing or of another type or shape.
  const TensorData& Weight(const std::string& name, DType dtype,
                           const std::vector<std::int64_t>& shape) const;
  // The weight as a constant of the graph; one for all its uses.
  std::string WeightConstant(const std::string& name, DType dtype,
                             const std::vector<std::int64_t>& shape);
  // A weight that no precision rounds, as f32.
  std::string FloatConstant(const std::string& name,
                            const std::vector<std::int64_t>& shape);
  std::string Integers(const std::vector<std::int64_t>& values);
  std::string Integer(std::int64_t value);
  std::string Real(float value);
  // int64 [1], the size of an axis.
  std::string SizeOf(const Value& x, std::int64_t axis);
  // An input that is made when first asked for.
  std::string Input(const std::string& name, OnnxType type,
                    const std::vector<OnnxDim>& shape);

  // The weights of a layer as floats [in,out].
  std::string FloatWeight(const std::string& name, const LinearSpec& spec);
  std::string QuantizedWeight(const std::string& name, const LinearSpec& spec);
  std::string IntegerWeight(const std::string& name, const LinearSpec& spec);
  std::string TableWeight(const std::string& name, const LinearSpec& spec);
  std::string Unpacked(const std::string& name,
                       const std::vector<std::uint8_t>& codes,
                       std::int64_t bits,
                       const std::vector<std::int8_t>& levels);
  std::string LevelTable(std::int64_t bits,
                         const std::vector<std::int8_t>& levels, OnnxType type);
  // Of a quantized table: the codes, packed row by row where several fit a
  // byte; the scales [rows,1]; what codes of fewer bits than 8 stand for.
  std::string TableCodes(const std::string& name, const TableSpec& spec);
  std::string TableScales(const std::string& name, const TableSpec& spec);
  std::vector<std::int8_t> LevelsOfTable(const std::string& name,
                                         const TableSpec& spec) const;
  std::string ZeroPoints(const std::string& name, const LinearSpec& spec);
  // Scale of a layer's products, input times weight, of rows or one for all.
  std::vector<float> ProductScale(const std::string& name,
                                  const LinearSpec& spec) const;
  // A bias in units of the products, as floats.
  std::string IntegerBias(const std::string& name, const LinearSpec& spec);
  static std::vector<std::int64_t> ScaleShape(const LinearSpec& spec);
  std::string Quantized(const std::string& name, const std::string& x);
  // A pair of QuantizeLinear and DequantizeLinear with this zero point.
  std::string Rounded(const std::string& x, const std::string& scale,
                      const std::string& zero, const std::string& scope);
  std::string ZeroPoint(const std::string& name, std::uint8_t zero);
  // The rows of a table for the tokens' places: [T,C], or in steps [B,T,C].
  std::string Placed(const std::string& table, std::int64_t columns,
                     const Value& tokens_of, std::int64_t axis);
  std::string Angles(std::int64_t rows, std::int64_t dim);
  // f32, 0 where a key is seen and -infinity elsewhere: [T,T] of an encoder,
  // [B,1,T,S] in steps. Empty where all is seen. One for each kind of mask.
  std::string Mask(const AttentionMask& mask, const Value& q_BHTE);
  std::string Distances(const Value& q_BHTE);
  std::string SourceMask(std::int64_t layers);

  OnnxWriter& writer_;
  const NamedTensors& weights_;
  bool steps_;
  ExportTarget target_;
  Compute compute_;
  std::string input_;  // whose second axis is the tokens
  std::int64_t nodes_ = 0;
};
static_assert(NetworkOps<OnnxOps>);

}  // namespace hone
