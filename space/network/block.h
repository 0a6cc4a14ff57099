#pragma once

#include <string>

#include "space/network/attention.h"

namespace hone {

template <NetworkOps Ops>
typename Ops::Value Normalize(Ops& ops, const std::string& name,
                              const StemSpec& stem,
                              const typename Ops::Value& x_BTD) {
  return stem.norm == Norm::kLayer ? ops.LayerNorm(name, x_BTD, stem.d_model)
                                   : ops.RmsNorm(name, x_BTD, stem.d_model);
}

// Two linear layers with an activation between; SwiGLU has a third, the gate.
// Shapes: [B,T,D] -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value FeedForward(Ops& ops, const std::string& name,
                                const StemSpec& stem, const BlockSpec& block,
                                const typename Ops::Value& x_BTD) {
  const auto widened = [&](LinearRole role) {
    return BlockLinear(ops, name, stem, block, role, x_BTD);
  };
  auto hidden_BTF = widened(LinearRole::kUp);
  switch (block.feed_forward.activation) {
    case Activation::kGelu:
      hidden_BTF = ops.Gelu(hidden_BTF);
      break;
    case Activation::kRelu:
      hidden_BTF = ops.Relu(hidden_BTF);
      break;
    case Activation::kSwiglu:
      hidden_BTF =
          ops.Multiply(ops.Silu(hidden_BTF), widened(LinearRole::kGate));
      break;
  }
  return BlockLinear(ops, name, stem, block, LinearRole::kDown, hidden_BTF);
}

// x + f(norm(x)), or norm(x + f(x)). Shapes: [B,T,D] -> [B,T,D].
template <NetworkOps Ops, typename Sublayer>
typename Ops::Value Residual(Ops& ops, const std::string& norm,
                             const StemSpec& stem,
                             const typename Ops::Value& x_BTD, Sublayer f) {
  if (stem.norm_place == NormPlace::kPre) {
    return ops.Add(x_BTD, ops.Dropout(f(Normalize(ops, norm, stem, x_BTD))));
  }
  return Normalize(ops, norm, stem, ops.Add(x_BTD, ops.Dropout(f(x_BTD))));
}

// A block of an encoder, or of a decoder, which looks at a source too where
// there is one. Shapes: [B,T,D] -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value Block(
    Ops& ops, const std::string& name, const AttentionPlace& place,
    const StemSpec& stem, const BlockSpec& block,
    const std::optional<SourceMemory<typename Ops::Value>>& source,
    typename Ops::Value x_BTD) {
  x_BTD = Residual(
      ops, name + ".attention_norm", stem, x_BTD,
      [&](const auto& x) { return SelfAttention(ops, place, stem, block, x); });
  if (source) {
    x_BTD =
        Residual(ops, name + ".cross_norm", stem, x_BTD, [&](const auto& x) {
          return CrossAttention(ops, name + ".cross", stem, block, *source, x);
        });
  }
  return Residual(
      ops, name + ".feed_forward_norm", stem, x_BTD, [&](const auto& x) {
        return FeedForward(ops, name + ".feed_forward", stem, block, x);
      });
}

}  // namespace hone
