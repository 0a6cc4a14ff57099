#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "space/cost.h"
#include "space/network/network_ops.h"
#include "train/decoder_memory.h"
#include "train/weight_source.h"

namespace hone {

// Sees the input of every linear layer, before it is quantized.
using LinearObserver = std::function<void(
    const std::string& name, const LinearSpec& spec, const at::Tensor& input)>;

// Sees what a product in a8 reads, before it is rounded.
using OperandObserver =
    std::function<void(const std::string& name, const at::Tensor& operand)>;

struct EagerOptions {
  // Probability that Dropout zeroes an element, rounded to a 256th: a random
  // byte decides, several times faster than LibTorch's Bernoulli draws. The
  // rest is scaled up by what is really kept. Needs a generator.
  double dropout = 0;
  std::optional<at::Generator> generator = std::nullopt;
  // Taps whose values are kept.
  std::set<std::string> taps = {};
  LinearObserver observer = {};
  OperandObserver operand_observer = {};
};

// The interpreter that computes: values are tensors, and autograd records them
// unless a NoGradGuard is alive. Works in the dtype of the weights. Weights
// come from a source that must outlive it. Not thread-safe.
//
// Attention goes through the fused kernel, which wants dropout off the
// probabilities: Dropout stands on sublayer outputs alone. Masks and tables of
// places are made once for each shape; where a mask hides nothing there is
// none.
class EagerOps {
 public:
  using Value = at::Tensor;

  explicit EagerOps(WeightSource& weights, EagerOptions options = {});

  // From now on values follow what `memory` has; null: no steps any more. The
  // caller says afterwards how many tokens were read (DecoderMemory::Advance).
  void ContinueFrom(DecoderMemory* memory) { memory_ = memory; }

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

  Value Gelu(const Value& x);
  Value Relu(const Value& x);
  Value Silu(const Value& x);
  Value Exp(const Value& x);
  Value EluPlusOne(const Value& x);
  Value Add(const Value& x, const Value& y);
  Value Multiply(const Value& x, const Value& y);
  Value Divide(const Value& x, const Value& y);
  Value Scale(const Value& x, double factor);
  Value Offset(const Value& x, double offset);
  Value Dropout(const Value& x);

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

  bool Stepwise() { return memory_ != nullptr; }
  Value Remember(const std::string& name, const Value& x_BKTE);
  std::optional<Value> Carried(const std::string& name,
                               const std::vector<std::int64_t>& dims);
  void Carry(const std::string& name, const Value& x);
  void Tap(const std::string& name, const Value& x);

  // The value last tapped under a name of options.taps; forgets it.
  Value TakeTap(const std::string& name);

 private:
  at::Tensor DropoutMask(const Value& like, std::int64_t dropped);
  // The rows of a table [rows,C] for the tokens' places: [T,C], or in steps
  // [B,T,C].
  at::Tensor Placed(const at::Tensor& table, std::int64_t tokens) const;
  // sin beside cos of place / 10000^(2i/dim): [rows,dim].
  const at::Tensor& Angles(std::int64_t rows, std::int64_t dim,
                           const Value& like);
  const at::Tensor& FixedMask(const Value& like, const AttentionMask& mask);
  // What is added to scores of these queries; none where all keys are seen or
  // `fused` says that a kernel hides later ones itself.
  std::optional<at::Tensor> MaskFor(const Value& like_BHTx, std::int64_t keys,
                                    const AttentionMask& mask, bool fused);

  WeightSource& weights_;
  EagerOptions options_;
  DecoderMemory* memory_ = nullptr;
  std::map<std::string, Value> taps_;
  std::map<std::pair<std::int64_t, AttentionMask>, at::Tensor> masks_;
  std::map<std::pair<std::int64_t, std::int64_t>, at::Tensor> angles_;
  std::map<std::string, at::Tensor> constants_;
};
static_assert(NetworkOps<EagerOps>);

// Asks a source once for every weight of the network, by running it on one
// token without gradients.
void Discover(WeightSource& weights, const Architecture& architecture,
              const TaskShape& task);

// clamp(round_half_even(x / scale) + zero_point, 0, 255), and back to floats:
// what a QuantizeLinear - DequantizeLinear pair computes.
at::Tensor FakeQuantize(const at::Tensor& x,
                        const ActivationQuantization& quantization);

}  // namespace hone
