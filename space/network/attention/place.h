#pragma once

#include <cstdint>
#include <string>

namespace hone {

// Where an attention stands in a network.
struct AttentionPlace {
  std::string name;             // "decoder.0.attention"
  std::int64_t head_dim = 0;    // E
  std::int64_t max_tokens = 0;  // that it will ever see
  bool causal = false;
};

}  // namespace hone
