#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "space/network/attention/dense.h"

namespace hone {

// Local and strided attention. Where the longest sequence is a few windows,
// the dense product with a mask is faster than gathering blocks, and in steps
// there is one query; else tokens are cut in blocks of the window's size, and
// each block of queries sees its own block of keys and the neighbours. The two
// spellings compute the same (docs/decisions.md has the lengths).
inline constexpr std::int64_t kBlocksWorthCutting = 4;
// Added to a score that must not count. Not infinity: a row of padding may
// have no other.
inline constexpr double kHidden = -1e9;

// Blocks of keys beside a block of queries: the one before, itself, and in an
// encoder the one after. [1|B,H,T',C] with T' = N W -> [.,.,N, 2W or 3W, C].
template <NetworkOps Ops>
typename Ops::Value NeighbourBlocks(Ops& ops, const typename Ops::Value& x,
                                    std::int64_t width, std::int64_t columns,
                                    bool causal) {
  const auto padded = ops.Pad(x, 2, width, causal ? 0 : width);
  const auto blocks = ops.Reshape(padded, {0, 0, -1, width, columns});
  std::vector<typename Ops::Value> parts;
  parts.push_back(ops.Slice(blocks, 2, 0, causal ? -1 : -2));
  parts.push_back(ops.Slice(blocks, 2, 1, causal ? kToEnd : -1));
  if (!causal) parts.push_back(ops.Slice(blocks, 2, 2, kToEnd));
  return ops.Concat(parts, 3);
}

// 0 where the key in column j of the neighbourhood is within `reach` of query
// i of the block (and in a decoder not after it), else kHidden. [W, 2W or 3W]
inline std::vector<float> BandValues(std::int64_t width, std::int64_t reach,
                                     bool causal) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < width; ++i) {
    for (std::int64_t j = 0; j < (causal ? 2 : 3) * width; ++j) {
      const std::int64_t distance = i - (j - width);
      const bool seen = distance <= reach && distance >= (causal ? 0 : -reach);
      values.push_back(seen ? 0 : static_cast<float>(kHidden));
    }
  }
  return values;
}

// q k^T / sqrt(E) of each block of queries with its neighbourhood, plus the
// band, with keys that are no token hidden. [B,H,N,W, 2W or 3W]
template <NetworkOps Ops>
typename Ops::Value BandScores(Ops& ops, const AttentionPlace& place,
                               std::int64_t width, std::int64_t reach,
                               const typename Ops::Value& q_BHNWE,
                               const typename Ops::Value& k_BHTE,
                               const typename Ops::Value& tokens_11T1) {
  const bool causal = place.causal;
  const auto k = NeighbourBlocks(ops, k_BHTE, width, place.head_dim, causal);
  const auto real = NeighbourBlocks(ops, tokens_11T1, width, 1, causal);
  const auto unreal =
      ops.Transpose(ops.Scale(ops.Offset(real, -1), -kHidden), 3, 4);
  const std::string name = "band." + std::to_string(width) + "." +
                           std::to_string(reach) + (causal ? ".causal" : "");
  const auto band = ops.Constant(name, {width, (causal ? 2 : 3) * width},
                                 BandValues(width, reach, causal));
  const auto scores =
      ops.MatMul(Operand(ops, place, "query", q_BHNWE),
                 Operand(ops, place, "key", ops.Transpose(k, 3, 4)));
  return ops.Add(ops.Add(scores, band), unreal);
}

// Queries, scaled, in blocks: [B,H,T',E] -> [B,H,N,W,E].
template <NetworkOps Ops>
typename Ops::Value QueryBlocks(Ops& ops, const AttentionPlace& place,
                                std::int64_t width,
                                const typename Ops::Value& q_BHTE) {
  const double scale = 1 / std::sqrt(static_cast<double>(place.head_dim));
  return ops.Reshape(ops.Scale(q_BHTE, scale),
                     {0, 0, -1, width, place.head_dim});
}

// Back from blocks to the tokens that `like` has.
template <NetworkOps Ops>
typename Ops::Value FromBlocks(Ops& ops, const AttentionPlace& place,
                               const typename Ops::Value& x_BHNWE,
                               const typename Ops::Value& like_BHTE) {
  return ops.CutLike(ops.Reshape(x_BHNWE, {0, 0, -1, place.head_dim}), 2,
                     like_BHTE, 2);
}

inline bool WorthCutting(const AttentionPlace& place, std::int64_t width) {
  return place.max_tokens > kBlocksWorthCutting * width;
}

template <NetworkOps Ops>
typename Ops::Value Attend(Ops& ops, const LocalAttention& local,
                           const AttentionPlace& place,
                           const typename Ops::Value& q_BHTE,
                           const typename Ops::Value& k_BHTE,
                           const typename Ops::Value& v_BHTE) {
  const std::int64_t width = local.window;
  if (ops.Stepwise() || !WorthCutting(place, width)) {
    return DenseAttention(ops, place, {.window = width}, q_BHTE, k_BHTE,
                          v_BHTE);
  }
  const auto in_blocks = [&](const auto& x) {
    return ops.PadToMultiple(x, 2, width);
  };
  const auto scores =
      BandScores(ops, place, width, width,
                 QueryBlocks(ops, place, width, in_blocks(q_BHTE)),
                 in_blocks(k_BHTE), in_blocks(ops.TokenOnes(q_BHTE)));
  const auto v = NeighbourBlocks(ops, in_blocks(v_BHTE), width, place.head_dim,
                                 place.causal);
  return FromBlocks(
      ops, place,
      ops.MatMul(Shares(ops, place, scores), Operand(ops, place, "value", v)),
      q_BHTE);
}

// Scores of the tokens a multiple of the stride away, itself left out since
// the band has it. Queries [B,H,N,W,E] -> [B,H,N,W,N].
template <NetworkOps Ops>
typename Ops::Value ColumnScores(Ops& ops, const AttentionPlace& place,
                                 const typename Ops::Value& q_BHNWE,
                                 const typename Ops::Value& k_BHNWE,
                                 const typename Ops::Value& tokens_11NW1) {
  const auto q_BHWNE = ops.Transpose(q_BHNWE, 2, 3);
  const auto k_BHWEN = ops.Transpose(ops.Transpose(k_BHNWE, 2, 3), 3, 4);
  const auto real_11WN1 = ops.Transpose(tokens_11NW1, 2, 3);
  // [1,1,W,N,N]: ones in the rows of real keys, before the triangle.
  const auto ones_11WN1 = ops.Offset(ops.Scale(real_11WN1, 0), 1);
  const auto real_11WNN =
      ops.MatMul(ones_11WN1, ops.Transpose(real_11WN1, 3, 4));
  const auto before = ops.LowerTriangle(real_11WNN, -1);
  const auto seen =
      place.causal
          ? before
          : ops.Add(before,
                    ops.Add(real_11WNN,
                            ops.Scale(ops.LowerTriangle(real_11WNN, 0), -1)));
  const auto scores = ops.Add(ops.MatMul(q_BHWNE, k_BHWEN),
                              ops.Scale(ops.Offset(seen, -1), -kHidden));
  return ops.Transpose(scores, 2, 3);
}

template <NetworkOps Ops>
typename Ops::Value Attend(Ops& ops, const StridedAttention& strided,
                           const AttentionPlace& place,
                           const typename Ops::Value& q_BHTE,
                           const typename Ops::Value& k_BHTE,
                           const typename Ops::Value& v_BHTE) {
  const std::int64_t width = strided.stride;
  if (ops.Stepwise() || !WorthCutting(place, width)) {
    return DenseAttention(ops, place, {.stride = width}, q_BHTE, k_BHTE,
                          v_BHTE);
  }
  const auto padded = [&](const auto& x) {
    return ops.PadToMultiple(x, 2, width);
  };
  const auto blocks = [&](const auto& x, std::int64_t columns) {
    return ops.Reshape(x, {0, 0, -1, width, columns});
  };
  const auto k = padded(k_BHTE);
  const auto v = padded(v_BHTE);
  const auto ones = padded(ops.TokenOnes(q_BHTE));
  const auto q_BHNWE = QueryBlocks(ops, place, width, padded(q_BHTE));
  const auto band = BandScores(ops, place, width, width - 1, q_BHNWE, k, ones);
  const auto column = ColumnScores(ops, place, q_BHNWE,
                                   blocks(k, place.head_dim), blocks(ones, 1));
  const auto shares = ops.Softmax(ops.Concat({band, column}, 4));
  const std::int64_t near = (place.causal ? 2 : 3) * width;
  const auto near_values =
      NeighbourBlocks(ops, v, width, place.head_dim, place.causal);
  const auto far_values = ops.Transpose(blocks(v, place.head_dim), 2, 3);
  const auto from_near = ops.MatMul(ops.Slice(shares, 4, 0, near), near_values);
  const auto far_shares_BHWNN =
      ops.Transpose(ops.Slice(shares, 4, near, kToEnd), 2, 3);
  const auto from_far =
      ops.Transpose(ops.MatMul(far_shares_BHWNN, far_values), 2, 3);
  return FromBlocks(ops, place, ops.Add(from_near, from_far), q_BHTE);
}

}  // namespace hone
