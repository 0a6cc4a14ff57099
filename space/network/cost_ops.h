#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "space/cost.h"
#include "space/network/network_ops.h"

namespace hone {

// The interpreter whose values are shapes and whose result is a Cost.
class CostOps {
 public:
  using Value = std::vector<std::int64_t>;

  explicit CostOps(std::int64_t w4_block) : w4_block_(w4_block) {}
  const Cost& cost() const { return cost_; }

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
  void Weights(std::int64_t elements);
  // Notes the activations that are alive while one operation runs.
  void Live(std::int64_t elements);

  std::int64_t w4_block_;
  Cost cost_;
};
static_assert(NetworkOps<CostOps>);

// How many inputs share one 4-bit scale: `block`, or the largest power of two
// below it that divides `in`.
std::int64_t W4BlockFor(std::int64_t in, std::int64_t block);

}  // namespace hone
