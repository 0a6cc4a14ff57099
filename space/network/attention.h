#pragma once

#include <string>
#include <variant>
#include <vector>

#include "space/block_layers.h"
#include "space/network/attention/banded.h"
#include "space/network/attention/dense.h"
#include "space/network/attention/linearized.h"
#include "space/network/attention/linformer.h"

namespace hone {

// "encoder.0.attention" and kQuery: ".query".
inline std::string RoleEnd(LinearRole role) {
  const std::string name = Name(role);
  return name.substr(name.rfind('.'));
}

// The linear layer of a sublayer of a block, named SUBLAYER.ROLE: one matrix,
// or NAME.reduce and NAME.expand where a product of two of the block's rank is
// smaller.
template <NetworkOps Ops>
typename Ops::Value BlockLinear(Ops& ops, const std::string& sublayer,
                                const StemSpec& stem, const BlockSpec& block,
                                LinearRole role, const typename Ops::Value& x) {
  const std::string name = sublayer + RoleEnd(role);
  const auto [in, out] = LinearSizeOf(stem, block, role);
  const Precision precision = PrecisionOf(block, role);
  if (!IsFactored(block.rank, in, out)) {
    return ops.Linear(name, x, {in, out, precision});
  }
  return ops.Linear(
      name + ".expand",
      ops.Linear(name + ".reduce", x, {in, block.rank, precision}),
      {block.rank, out, precision});
}

// The projections of an attention, by the ends of their names.
inline constexpr const char* kSelfAttentionRoles[] = {".query", ".key",
                                                      ".value"};

// Query, key, value and output projections around one of the kinds in
// attention/, each of which is an overload of Attend. Taps NAME.query, NAME.key
// and NAME.value are what comes out of the first three, before heads are split
// and turned: [B,T,H*E], of keys and values [B,T,K*E].
// Shapes: [B,T,D] -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value SelfAttention(Ops& ops, AttentionPlace place,
                                  const StemSpec& stem, const BlockSpec& block,
                                  const typename Ops::Value& x_BTD) {
  place.head_dim = HeadDim(stem, block);
  place.heads = Heads(block.attention);
  place.kv_heads = KeyValueHeads(block.attention);
  place.products = block.products;
  const auto project = [&](LinearRole role, std::int64_t count) {
    const auto joined = BlockLinear(ops, place.name, stem, block, role, x_BTD);
    ops.Tap(place.name + RoleEnd(role), joined);
    const auto x = ops.SplitHeads(joined, count);
    const bool turned =
        stem.positions == Positions::kRotary && role != LinearRole::kValue;
    return turned ? ops.Rotary(x, place.max_tokens) : x;
  };
  const auto q_BHTE = project(LinearRole::kQuery, place.heads);
  const auto k_BKTE = project(LinearRole::kKey, place.kv_heads);
  const auto v_BKTE = project(LinearRole::kValue, place.kv_heads);
  const auto mixed_BHTE = std::visit(
      [&](const auto& kind) {
        return Attend(ops, kind, place, q_BHTE, k_BKTE, v_BKTE);
      },
      block.attention);
  return BlockLinear(ops, place.name, stem, block, LinearRole::kOutput,
                     ops.MergeHeads(mixed_BHTE));
}

// Keys and values of one decoder block over the encoded source; they stay the
// same from step to step. Shapes: [B,H,S,E].
template <typename Value>
struct SourceMemory {
  Value key;
  Value value;
};

// `source`: the encoder layers that the block attends to, each [B,S,D].
template <NetworkOps Ops>
SourceMemory<typename Ops::Value> RememberSource(
    Ops& ops, const std::string& name, const StemSpec& stem,
    const BlockSpec& block, const std::vector<typename Ops::Value>& source) {
  const auto joined =
      source.size() == 1 ? source.front() : ops.Concat(source, 1);
  const auto project = [&](LinearRole role) {
    return ops.SplitHeads(BlockLinear(ops, name, stem, block, role, joined),
                          block.cross->heads);
  };
  auto key = project(LinearRole::kCrossKey);
  return {key, project(LinearRole::kCrossValue)};
}

// Shapes: [B,T,D] -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value CrossAttention(
    Ops& ops, const std::string& name, const StemSpec& stem,
    const BlockSpec& block, const SourceMemory<typename Ops::Value>& source,
    const typename Ops::Value& x_BTD) {
  const auto q_BHTE = ops.SplitHeads(
      BlockLinear(ops, name, stem, block, LinearRole::kCrossQuery, x_BTD),
      block.cross->heads);
  const auto mixed_BHTE = ops.ScaledDotProductAttention(
      q_BHTE, source.key, source.value,
      AttentionMask{.source_layers = block.cross->layers});
  return BlockLinear(ops, name, stem, block, LinearRole::kCrossOutput,
                     ops.MergeHeads(mixed_BHTE));
}

}  // namespace hone
