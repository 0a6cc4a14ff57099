#pragma once

#include <string>

#include "space/network/attention.h"

namespace hone {

// Two linear layers with GELU between. Shapes: [B,T,D] -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value FeedForward(Ops& ops, const std::string& name,
                                const BlockSpec& block, std::int64_t d_model,
                                const typename Ops::Value& x_BTD) {
  const std::int64_t width = block.feed_forward.width;
  const auto hidden_BTF = ops.Gelu(
      ops.Linear(name + ".up", x_BTD, {d_model, width, block.precision}));
  return ops.Linear(name + ".down", hidden_BTF,
                    {width, d_model, block.precision});
}

// A pre-norm encoder block (Xiong et al. 2020). Shapes: [B,T,D] -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value EncoderBlock(Ops& ops, const std::string& name,
                                 const BlockSpec& block, std::int64_t d_model,
                                 const typename Ops::Value& x_BTD) {
  const auto attended_BTD = ops.Add(
      x_BTD, ops.Dropout(SelfAttention(
                 ops, name + ".attention", block, d_model,
                 ops.LayerNorm(name + ".attention_norm", x_BTD, d_model))));
  return ops.Add(
      attended_BTD,
      ops.Dropout(FeedForward(
          ops, name + ".feed_forward", block, d_model,
          ops.LayerNorm(name + ".feed_forward_norm", attended_BTD, d_model))));
}

}  // namespace hone
