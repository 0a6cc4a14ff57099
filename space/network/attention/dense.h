#pragma once

#include "space/network/attention/place.h"
#include "space/network/network_ops.h"

namespace hone {

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
  if (!place.causal) {
    return ops.ScaledDotProductAttention(q_BHTE, k_BKTE, v_BKTE, mask);
  }
  const auto k_BKSE = ops.Remember(place.name + ".key", k_BKTE);
  const auto v_BKSE = ops.Remember(place.name + ".value", v_BKTE);
  return ops.ScaledDotProductAttention(q_BHTE, k_BKSE, v_BKSE, mask);
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
