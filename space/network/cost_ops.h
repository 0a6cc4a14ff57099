#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "space/cost.h"
#include "space/network/network_ops.h"

namespace hone {

// The interpreter whose values are shapes and whose result is a Cost. A weight
// that is used twice counts once.
class CostOps {
 public:
  using Value = std::vector<std::int64_t>;

  // `compute`: what weights are stored in that no precision rounds.
  explicit CostOps(Compute compute = Compute::kF32, std::int64_t batch = 1)
      : float_bytes_(compute == Compute::kBf16 ? 2 : 4), batch_(batch) {}

  const Cost& cost() const { return cost_; }

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

  Value Gelu(const Value& x) { return Pointwise(x); }
  Value Relu(const Value& x) { return Pointwise(x); }
  Value Silu(const Value& x) { return Pointwise(x); }
  Value Exp(const Value& x) { return Pointwise(x); }
  Value EluPlusOne(const Value& x) { return Pointwise(x); }
  Value Add(const Value& x, const Value& y) { return Broadcast(x, y); }
  Value Multiply(const Value& x, const Value& y) { return Broadcast(x, y); }
  Value Divide(const Value& x, const Value& y) { return Broadcast(x, y); }
  Value Scale(const Value& x, double) { return Pointwise(x); }
  Value Offset(const Value& x, double) { return Pointwise(x); }
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
  Value Softmax(const Value& x) { return Pointwise(x); }
  Value Sum(const Value& x, std::int64_t axis);
  Value Max(const Value& x);
  Value RunningSum(const Value& x, std::int64_t) { return Pointwise(x); }
  Value LowerTriangle(const Value& x, std::int64_t) { return Pointwise(x); }
  Value ScaledDotProductAttention(const Value& q_BHTE, const Value& k_BKSE,
                                  const Value& v_BKSE,
                                  const AttentionMask& mask);
  Value Masked(const Value& x, const AttentionMask&) { return Pointwise(x); }
  Value RoundOperand(const std::string& name, const Value& x);
  Value RoundShares(const Value& x) { return Pointwise(x); }
  Value MeanTokens(const Value& x_BTD);

  bool Stepwise() { return false; }
  Value Remember(const std::string& name, const Value& x_BKTE);
  std::optional<Value> Carried(const std::string& name,
                               const std::vector<std::int64_t>& dims);
  void Carry(const std::string&, const Value&) {}
  void Tap(const std::string&, const Value&) {}

 private:
  void Weights(const std::string& name, std::int64_t elements);
  // Notes the activations that are alive while one operation runs.
  void Live(std::int64_t elements);
  Value Pointwise(const Value& x);
  Value Broadcast(const Value& x, const Value& y);

  std::int64_t float_bytes_;
  std::int64_t batch_;
  std::set<std::string> weights_;
  Cost cost_;
};
static_assert(NetworkOps<CostOps>);

}  // namespace hone
