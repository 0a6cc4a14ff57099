#pragma once

#include <string>

#include "space/base/error.h"
#include "space/network/attention/place.h"
#include "space/network/network_ops.h"

namespace hone {

// The weights of a sequence projection by the sharing (Wang et al. 2020, 4).
inline std::string SequenceProjection(const LinformerAttention& linformer,
                                      const AttentionPlace& place,
                                      const char* role) {
  switch (linformer.sharing) {
    case LinformerSharing::kHeadwise:
      return place.name + "." + role + "_projection";
    case LinformerSharing::kKeyValue:
      return place.name + ".sequence_projection";
    case LinformerSharing::kLayerwise:
      return "encoder.sequence_projection." + std::to_string(linformer.rank);
  }
  return {};
}

// softmax(Q (E K)^T / sqrt(E)) (F V), where E and F [rank, max_tokens] mix the
// tokens; a shorter sequence uses their first columns.
template <NetworkOps Ops>
typename Ops::Value Attend(Ops& ops, const LinformerAttention& linformer,
                           const AttentionPlace& place,
                           const typename Ops::Value& q_BHTE,
                           const typename Ops::Value& k_BHTE,
                           const typename Ops::Value& v_BHTE) {
  HONE_CHECK(!place.causal);
  const auto shorten = [&](const auto& x_BHTE, const char* role) {
    const auto projection_RM =
        ops.Matrix(SequenceProjection(linformer, place, role), linformer.rank,
                   place.max_tokens);
    return ops.MatMul(ops.CutLike(projection_RM, 1, x_BHTE, 2), x_BHTE);
  };
  return ops.ScaledDotProductAttention(q_BHTE, shorten(k_BHTE, "key"),
                                       shorten(v_BHTE, "value"),
                                       AttentionMask{});
}

}  // namespace hone
