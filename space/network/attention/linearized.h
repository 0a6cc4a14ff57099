#pragma once

#include <cmath>
#include <vector>

#include "space/network/attention/place.h"
#include "space/network/network_ops.h"

namespace hone {

// Attention whose weights are products of features, phi(q) . phi(k), each row
// divided by its sum: the sum over tokens can then be taken first. In a decoder
// the sums are running ones: tokens are cut in chunks, each of which takes the
// sums of the chunks before it and computes its own pairs (Katharopoulos et al.
// 2020, 3.3; the chunks are of Hua et al. 2022, 3.3).
inline constexpr std::int64_t kChunk = 64;

// The numerator beside the denominator: a column of ones behind the values.
// [B,H,T,E] -> [B,H,T,E+1]
template <NetworkOps Ops>
typename Ops::Value WithOnes(Ops& ops, const typename Ops::Value& v_BHTE) {
  const auto ones = ops.Offset(ops.Scale(ops.Slice(v_BHTE, 3, 0, 1), 0), 1);
  return ops.Concat({v_BHTE, ones}, 3);
}

// Divides by the last column.
template <NetworkOps Ops>
typename Ops::Value Normalized(Ops& ops, const typename Ops::Value& x,
                               std::int64_t head_dim) {
  return ops.Divide(ops.Slice(x, 3, 0, head_dim),
                    ops.Slice(x, 3, head_dim, kToEnd));
}

// Products within one piece of tokens, later ones left out.
// Shapes: [...,T,M], [...,T,M], [...,T,C] -> [...,T,C]; `axis`: that of T.
template <NetworkOps Ops>
typename Ops::Value WithinPiece(Ops& ops, const typename Ops::Value& q,
                                const typename Ops::Value& k,
                                const typename Ops::Value& v,
                                std::int64_t axis) {
  const auto pairs = ops.MatMul(q, ops.Transpose(k, axis, axis + 1));
  return ops.MatMul(ops.LowerTriangle(pairs, 0), v);
}

// `features` is M, the width of phi. Shapes: q and k [B,H,T,M], v [B,H,T,E].
template <NetworkOps Ops>
typename Ops::Value LinearizedAttention(Ops& ops, const AttentionPlace& place,
                                        std::int64_t heads,
                                        std::int64_t features,
                                        const typename Ops::Value& q_BHTM,
                                        const typename Ops::Value& k_BHTM,
                                        const typename Ops::Value& v_BHTE) {
  const auto v = WithOnes(ops, v_BHTE);
  const std::int64_t columns = place.head_dim + 1;
  if (!place.causal) {
    const auto sums_BHMC = ops.MatMul(ops.Transpose(k_BHTM, 2, 3), v);
    return Normalized(ops, ops.MatMul(q_BHTM, sums_BHMC), place.head_dim);
  }
  const auto before =
      ops.Carried(place.name + ".sums", {heads, features, columns});
  if (before) {
    ops.Carry(place.name + ".sums",
              ops.Add(*before, ops.MatMul(ops.Transpose(k_BHTM, 2, 3), v)));
    const auto mixed = ops.Add(ops.MatMul(q_BHTM, *before),
                               WithinPiece(ops, q_BHTM, k_BHTM, v, 2));
    return Normalized(ops, mixed, place.head_dim);
  }
  const auto chunks = [&](const auto& x, std::int64_t width) {
    return ops.Reshape(ops.PadToMultiple(x, 2, kChunk),
                       {0, 0, -1, kChunk, width});
  };
  const auto q_BHNCM = chunks(q_BHTM, features);
  const auto k_BHNCM = chunks(k_BHTM, features);
  const auto v_BHNCE = chunks(v, columns);
  const auto sums = ops.MatMul(ops.Transpose(k_BHNCM, 3, 4), v_BHNCE);
  const auto earlier = ops.Add(ops.RunningSum(sums, 2), ops.Scale(sums, -1));
  const auto mixed = ops.Add(ops.MatMul(q_BHNCM, earlier),
                             WithinPiece(ops, q_BHNCM, k_BHNCM, v_BHNCE, 3));
  const auto mixed_BHTC =
      ops.CutLike(ops.Reshape(mixed, {0, 0, -1, columns}), 2, q_BHTM, 2);
  return Normalized(ops, mixed_BHTC, place.head_dim);
}

template <NetworkOps Ops>
typename Ops::Value Attend(Ops& ops, const LinearAttention& linear,
                           const AttentionPlace& place,
                           const typename Ops::Value& q_BHTE,
                           const typename Ops::Value& k_BHTE,
                           const typename Ops::Value& v_BHTE) {
  return LinearizedAttention(ops, place, linear.heads, place.head_dim,
                             ops.EluPlusOne(q_BHTE), ops.EluPlusOne(k_BHTE),
                             v_BHTE);
}

// phi(x) = exp(W x - |x|^2 / 2 - c) + 1e-6 for x divided by E^(1/4)
// (Choromanski et al. 2021, lemma 1; the small number keeps sums from zero). c
// cancels: for queries the row's largest exponent, for keys none, since it
// would have to be the same for all of them, those to come included.
template <NetworkOps Ops>
typename Ops::Value PositiveFeatures(Ops& ops, const AttentionPlace& place,
                                     const typename Ops::Value& features_ME,
                                     const typename Ops::Value& x_BHTE,
                                     bool query) {
  constexpr double kSmallest = 1e-6;
  const auto x =
      ops.Scale(x_BHTE, std::pow(static_cast<double>(place.head_dim), -0.25));
  const auto half = ops.Scale(ops.Sum(ops.Multiply(x, x), 3), -0.5);
  auto exponent =
      ops.Add(ops.MatMul(x, ops.Transpose(features_ME, 0, 1)), half);
  if (query) {
    exponent = ops.Add(exponent, ops.Scale(ops.Max(exponent), -1));
  }
  return ops.Offset(ops.Exp(exponent), kSmallest);
}

template <NetworkOps Ops>
typename Ops::Value Attend(Ops& ops, const PerformerAttention& performer,
                           const AttentionPlace& place,
                           const typename Ops::Value& q_BHTE,
                           const typename Ops::Value& k_BHTE,
                           const typename Ops::Value& v_BHTE) {
  const auto features_ME =
      ops.RandomFeatures(place.name, performer.features, place.head_dim);
  return LinearizedAttention(
      ops, place, performer.heads, performer.features,
      PositiveFeatures(ops, place, features_ME, q_BHTE, true),
      PositiveFeatures(ops, place, features_ME, k_BHTE, false), v_BHTE);
}

}  // namespace hone
