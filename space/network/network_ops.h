#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

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

// A table of vectors that are read by their number. Its precision is one for
// tables (IsForTables).
struct TableSpec {
  std::int64_t rows = 0;
  std::int64_t dim = 0;
  Precision precision = Precision::kF32;
};

// Which tokens j a token i may see; all conditions together.
struct AttentionMask {
  bool causal = false;       // j <= i
  std::int64_t window = -1;  // |i - j| <= window, where not negative
  std::int64_t stride = 0;   // |i - j| < stride or (i - j) mod stride = 0
  // Keys are those of an encoded source, so many layers of it one after the
  // other; what is no token of it is hidden.
  std::int64_t source_layers = 0;
  auto operator<=>(const AttentionMask&) const = default;
};

// The largest codes of what products in a8 read.
inline constexpr float kLargestOperandCode = 127;
inline constexpr float kLargestShareCode = 255;

// To the end of an axis.
inline constexpr std::int64_t kToEnd = std::numeric_limits<std::int64_t>::max();

// An interpreter of networks. The Transformer in this folder is written once
// against this concept; CostOps counts it, EagerOps (train) computes it, and
// OnnxOps (eval/export) writes it to a file. Names are the full dotted names
// under which a weight source answers, for example "encoder.2.attention.query".
//
// Shapes: B batch, T tokens, D d_model, H heads, E head dimension, V
// vocabulary. Axes are counted from 0 and may not be negative.
template <typename Ops>
concept NetworkOps = requires(Ops& ops, const std::string& name,
                              const typename Ops::Value& x,
                              const typename Ops::Value& y, std::int64_t n,
                              double real, const LinearSpec& linear,
                              const TableSpec& table, const AttentionMask& mask,
                              const std::vector<std::int64_t>& dims,
                              const std::vector<float>& values,
                              const std::vector<typename Ops::Value>& list) {
  requires std::copyable<typename Ops::Value>;

  // --- Weights -------------------------------------------------------------
  // [B,T] token numbers -> [B,T,dim]; the table's rows are trained one by one.
  // One use in a network. Weight: name.weight [rows, dim].
  { ops.Embedding(name, x, table) } -> std::same_as<typename Ops::Value>;
  // The same for networks that use the table more than once.
  { ops.Lookup(name, x, table) } -> std::same_as<typename Ops::Value>;
  // All of such a table as a value [rows, dim].
  { ops.Table(name, table) } -> std::same_as<typename Ops::Value>;
  // A trained matrix as a value. Weight: name.weight [rows, columns].
  { ops.Matrix(name, n, n) } -> std::same_as<typename Ops::Value>;
  // Random directions that are not trained: groups of `columns` orthogonal
  // rows, of the norms of Gaussian vectors. Weight: name.features.
  { ops.RandomFeatures(name, n, n) } -> std::same_as<typename Ops::Value>;
  // [B,T,D] + the rows of a learned table for the tokens' places. Weight:
  // name.weight [rows, D]. Requires: places < rows.
  { ops.AddPositions(name, x, n, n) } -> std::same_as<typename Ops::Value>;
  // The same with sin(p / 10000^(2i/D)) in the first half of the columns and
  // the cosine in the second.
  { ops.AddSinusoids(x, n, n) } -> std::same_as<typename Ops::Value>;
  // [B,H,T,E]: the pair (i, i + E/2) turned by p / 10000^(2i/E); places < n.
  { ops.Rotary(x, n) } -> std::same_as<typename Ops::Value>;
  // x W^T + b over the last axis. Weights: name.weight [out,in], name.bias.
  { ops.Linear(name, x, linear) } -> std::same_as<typename Ops::Value>;
  // Normalises the last axis (epsilon 1e-5). Weights: name.weight, name.bias.
  { ops.LayerNorm(name, x, n) } -> std::same_as<typename Ops::Value>;
  // x / sqrt(mean(x^2) + 1e-5) * name.weight over the last axis.
  { ops.RmsNorm(name, x, n) } -> std::same_as<typename Ops::Value>;

  // --- Pointwise; two values are broadcast against each other ----------------
  // x Phi(x), the exact (erf) form.
  { ops.Gelu(x) } -> std::same_as<typename Ops::Value>;
  { ops.Relu(x) } -> std::same_as<typename Ops::Value>;
  { ops.Silu(x) } -> std::same_as<typename Ops::Value>;
  { ops.Exp(x) } -> std::same_as<typename Ops::Value>;
  // max(x, 0) + exp(min(x, 0)).
  { ops.EluPlusOne(x) } -> std::same_as<typename Ops::Value>;
  { ops.Add(x, y) } -> std::same_as<typename Ops::Value>;
  { ops.Multiply(x, y) } -> std::same_as<typename Ops::Value>;
  { ops.Divide(x, y) } -> std::same_as<typename Ops::Value>;
  { ops.Scale(x, real) } -> std::same_as<typename Ops::Value>;
  { ops.Offset(x, real) } -> std::same_as<typename Ops::Value>;
  // Identity at inference; in training the interpreter's own dropout.
  { ops.Dropout(x) } -> std::same_as<typename Ops::Value>;

  // --- Shapes ----------------------------------------------------------------
  // [B,T,H*E] -> [B,H,T,E] and back.
  { ops.SplitHeads(x, n) } -> std::same_as<typename Ops::Value>;
  { ops.MergeHeads(x) } -> std::same_as<typename Ops::Value>;
  { ops.Transpose(x, n, n) } -> std::same_as<typename Ops::Value>;
  // Each of dims: a size, 0 for that of the same axis of x, or once -1 for what
  // is left.
  { ops.Reshape(x, dims) } -> std::same_as<typename Ops::Value>;
  // Zeros before and after an axis; or behind it, up to a multiple of n.
  { ops.Pad(x, n, n, n) } -> std::same_as<typename Ops::Value>;
  { ops.PadToMultiple(x, n, n) } -> std::same_as<typename Ops::Value>;
  // Elements [begin, end) of an axis; a negative end counts from the back.
  { ops.Slice(x, n, n, n) } -> std::same_as<typename Ops::Value>;
  // The first elements of axis n of x, as many as axis m of y has.
  { ops.CutLike(x, n, y, n) } -> std::same_as<typename Ops::Value>;
  { ops.Concat(list, n) } -> std::same_as<typename Ops::Value>;
  // Ones of shape [1,1,T,1], T the third axis of x.
  { ops.TokenOnes(x) } -> std::same_as<typename Ops::Value>;
  // A constant of this shape; equal names are equal constants.
  { ops.Constant(name, dims, values) } -> std::same_as<typename Ops::Value>;

  // --- Sums and products
  // ------------------------------------------------------- Over the last two
  // axes; leading ones are broadcast.
  { ops.MatMul(x, y) } -> std::same_as<typename Ops::Value>;
  { ops.Softmax(x) } -> std::same_as<typename Ops::Value>;
  // Keep the axis, with size 1. Max is over the last axis, and no gradient
  // passes it.
  { ops.Sum(x, n) } -> std::same_as<typename Ops::Value>;
  { ops.Max(x) } -> std::same_as<typename Ops::Value>;
  // y_i = x_0 + ... + x_i along an axis.
  { ops.RunningSum(x, n) } -> std::same_as<typename Ops::Value>;
  // Zeroes what lies above diagonal n of the last two axes.
  { ops.LowerTriangle(x, n) } -> std::same_as<typename Ops::Value>;
  // softmax(q k^T / sqrt(E) + mask) v: [B,H,T,E], [B,K,S,E], [B,K,S,E] ->
  // [B,H,T,E]; head h uses key/value head h K / H.
  {
    ops.ScaledDotProductAttention(x, y, y, mask)
    } -> std::same_as<typename Ops::Value>;
  // Scores [B,H,T,S] of queries with keys, and -infinity where a key is hidden.
  { ops.Masked(x, mask) } -> std::same_as<typename Ops::Value>;
  // What a product in a8 reads: clamp(round(x / scale), -127, 127) * scale with
  // the static scale name.scale; x where it is not known yet.
  { ops.RoundOperand(name, x) } -> std::same_as<typename Ops::Value>;
  // Of numbers from 0 to 1: round(255 x) / 255.
  { ops.RoundShares(x) } -> std::same_as<typename Ops::Value>;
  // [B,T,D] -> [B,D], the mean over tokens.
  { ops.MeanTokens(x) } -> std::same_as<typename Ops::Value>;

  // --- Decoding step by step
  // ----------------------------------------------------- True when x is what
  // follows on tokens read before.
  { ops.Stepwise() } -> std::same_as<bool>;
  // [B,K,T,E] -> the same behind what was remembered under this name, all of
  // which is remembered. Without steps: x.
  { ops.Remember(name, x) } -> std::same_as<typename Ops::Value>;
  // What was last carried under this name, [B, dims...]; zeros at first. Empty
  // without steps.
  {
    ops.Carried(name, dims)
    } -> std::same_as<std::optional<typename Ops::Value>>;
  ops.Carry(name, x);

  // Names an intermediate value for whoever listens (distillation).
  ops.Tap(name, x);
};

}  // namespace hone
