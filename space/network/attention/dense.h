#pragma once

#include <cmath>
#include <string>

#include "space/network/attention/place.h"
#include "space/network/network_ops.h"

namespace hone {

// What a product of an attention reads: with products in a8 rounded, under the
// name PLACE.ROLE_operand, where ROLE is query, key or value.
template <NetworkOps Ops>
typename Ops::Value Operand(Ops& ops, const AttentionPlace& place,
                            const std::string& role,
                            const typename Ops::Value& x) {
  return place.products == AttentionProducts::kA8
             ? ops.RoundOperand(place.name + "." + role + "_operand", x)
             : x;
}

// The softmax of scores, as the second product reads it.
template <NetworkOps Ops>
typename Ops::Value Shares(Ops& ops, const AttentionPlace& place,
                           const typename Ops::Value& scores) {
  const auto shares = ops.Softmax(scores);
  return place.products == AttentionProducts::kA8 ? ops.RoundShares(shares)
                                                  : shares;
}

// The dense product in primitives, for operands that are rounded. Heads that
// share keys stand beside each other and become more queries.
template <NetworkOps Ops>
typename Ops::Value RoundedAttention(Ops& ops, const AttentionPlace& place,
                                     const AttentionMask& mask,
                                     const typename Ops::Value& q_BHTE,
                                     const typename Ops::Value& k_BKSE,
                                     const typename Ops::Value& v_BKSE) {
  const bool shared = place.heads != place.kv_heads;
  const auto as = [&](const auto& x, std::int64_t heads, std::int64_t last) {
    return shared ? ops.Reshape(x, {0, heads, -1, last}) : x;
  };
  const double scale = 1 / std::sqrt(static_cast<double>(place.head_dim));
  const auto q =
      Operand(ops, place, "query",
              as(ops.Scale(q_BHTE, scale), place.kv_heads, place.head_dim));
  const auto k = Operand(ops, place, "key", ops.Transpose(k_BKSE, 2, 3));
  const auto v = Operand(ops, place, "value", v_BKSE);
  const auto scores = as(ops.MatMul(q, k), place.heads, 0);
  const auto shares = Shares(ops, place, ops.Masked(scores, mask));
  return as(ops.MatMul(as(shares, place.kv_heads, 0), v), place.heads,
            place.head_dim);
}

// softmax(Q K^T / sqrt(E) + mask) V, all pairs computed. In a decoder keys and
// values are remembered from step to step.
// Shapes: [B,H,T,E], [B,K,T,E], [B,K,T,E] -> [B,H,T,E].
template <NetworkOps Ops>
typename Ops::Value DenseAttention(Ops& ops, const AttentionPlace& place,
                                   AttentionMask mask,
                                   const typename Ops::Value& q_BHTE,
                                   const typename Ops::Value& k_BKTE,
                                   const typename Ops::Value& v_BKTE) {
  mask.causal = place.causal;
  const auto attend = [&](const auto& k, const auto& v) {
    return place.products == AttentionProducts::kA8
               ? RoundedAttention(ops, place, mask, q_BHTE, k, v)
               : ops.ScaledDotProductAttention(q_BHTE, k, v, mask);
  };
  if (!place.causal) return attend(k_BKTE, v_BKTE);
  const auto k_BKSE = ops.Remember(place.name + ".key", k_BKTE);
  return attend(k_BKSE, ops.Remember(place.name + ".value", v_BKTE));
}

template <NetworkOps Ops>
typename Ops::Value Attend(Ops& ops, const FullAttention&,
                           const AttentionPlace& place,
                           const typename Ops::Value& q_BHTE,
                           const typename Ops::Value& k_BKTE,
                           const typename Ops::Value& v_BKTE) {
  return DenseAttention(ops, place, {}, q_BHTE, k_BKTE, v_BKTE);
}

}  // namespace hone
