#pragma once

#include <cstdint>
#include <string>

#include "space/architecture.h"

namespace hone {

// Where an attention stands in a network.
struct AttentionPlace {
  std::string name;             // "decoder.0.attention"
  std::int64_t head_dim = 0;    // E
  std::int64_t max_tokens = 0;  // that it will ever see
  bool causal = false;
  std::int64_t heads = 0;     // H
  std::int64_t kv_heads = 0;  // K
  AttentionProducts products = AttentionProducts::kF32;
};

}  // namespace hone
