#pragma once

#include <string>
#include <variant>

#include "space/network/network_ops.h"

namespace hone {

// The tokens on either side that a token sees; -1: all of them.
inline std::int64_t WindowOf(const FullAttention&) { return -1; }
inline std::int64_t WindowOf(const LocalAttention& local) {
  return local.window;
}

// Self-attention: query, key, value and output projections around scaled
// dot-product attention. A local window is a mask on the dense product: at the
// lengths of today's tasks that is faster than gathering blocks
// (docs/decisions.md), and the cost model counts what is really computed.
// Shapes: [B,T,D] -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value SelfAttention(Ops& ops, const std::string& name,
                                  const BlockSpec& block, std::int64_t d_model,
                                  const typename Ops::Value& x_BTD) {
  const LinearSpec square{d_model, d_model, block.precision};
  const std::int64_t heads = Heads(block.attention);
  const auto project = [&](const char* role) {
    return ops.SplitHeads(ops.Linear(name + role, x_BTD, square), heads);
  };
  const auto q_BHTE = project(".query");
  const auto k_BHTE = project(".key");
  const auto v_BHTE = project(".value");
  const std::int64_t window = std::visit(
      [](const auto& kind) { return WindowOf(kind); }, block.attention);
  const auto mixed_BHTE =
      ops.ScaledDotProductAttention(q_BHTE, k_BHTE, v_BHTE, window);
  return ops.Linear(name + ".output", ops.MergeHeads(mixed_BHTE), square);
}

}  // namespace hone
