#pragma once

#include <concepts>
#include <cstdint>
#include <string>

#include "space/architecture.h"

namespace hone {

// The position table's length, the size of a linear layer and so on are known
// when a network is written; batch and tokens are not, so that one text serves
// every shape.
struct LinearSpec {
  std::int64_t in = 0;
  std::int64_t out = 0;
  Precision precision = Precision::kF32;
};

// An interpreter of networks. The Transformer in this folder is written once
// against this concept; CostOps counts it, EagerOps (train) computes it, and
// OnnxOps (eval/export) writes it to a file. Names are the full dotted names
// under which a weight source answers, for example "encoder.2.attention.query".
//
// Shapes: B batch, T tokens, D d_model, H heads, E head dimension, V
// vocabulary.
template <typename Ops>
concept NetworkOps = requires(Ops& ops, const std::string& name,
                              const typename Ops::Value& x,
                              const typename Ops::Value& y, std::int64_t n,
                              const LinearSpec& linear) {
  // [B,T] token numbers -> [B,T,dim]. Weight: name.weight [rows, dim].
  { ops.Embedding(name, x, n, n) } -> std::same_as<typename Ops::Value>;
  // [B,T,D] + the first T rows of a learned table. Weight: name.weight
  // [rows, D]. Requires T <= rows.
  { ops.AddPositions(name, x, n, n) } -> std::same_as<typename Ops::Value>;
  // x W^T + b over the last axis. Weights: name.weight [out,in], name.bias.
  { ops.Linear(name, x, linear) } -> std::same_as<typename Ops::Value>;
  // Normalises the last axis (epsilon 1e-5). Weights: name.weight, name.bias.
  { ops.LayerNorm(name, x, n) } -> std::same_as<typename Ops::Value>;
  // x Phi(x), the exact (erf) form.
  { ops.Gelu(x) } -> std::same_as<typename Ops::Value>;
  { ops.Add(x, y) } -> std::same_as<typename Ops::Value>;
  // Identity at inference; in training the interpreter's own dropout.
  { ops.Dropout(x) } -> std::same_as<typename Ops::Value>;
  // [B,T,H*E] -> [B,H,T,E] and back.
  { ops.SplitHeads(x, n) } -> std::same_as<typename Ops::Value>;
  { ops.MergeHeads(x) } -> std::same_as<typename Ops::Value>;
  // softmax(q k^T / sqrt(E) + mask) v for [B,H,T,E]; `window` < 0: no mask,
  // else 0 where |i-j| <= window and -infinity elsewhere.
  {
    ops.ScaledDotProductAttention(x, y, y, n)
    } -> std::same_as<typename Ops::Value>;
  // [B,T,D] -> [B,D], the mean over tokens.
  { ops.MeanTokens(x) } -> std::same_as<typename Ops::Value>;
  // Names an intermediate value for whoever listens (distillation).
  ops.Tap(name, x);
};

}  // namespace hone
