#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "space/base/json.h"

namespace hone {

// What a block's linear layers store and compute with.
//   f32   float weights and activations
//   w8a8  s8 symmetric weights per output channel, u8 asymmetric activations
//         per tensor (static, calibrated), int32 accumulation
//   w4    s4 symmetric weights in blocks along the input, float activations
enum class Precision { kF32, kW8A8, kW4 };
std::string_view Name(Precision precision);
const std::vector<std::string>& PrecisionNames();
// Throws Error{kUsage} with a suggestion.
Precision ParsePrecision(std::string_view name);

// softmax(Q K^T / sqrt(E)) V over all tokens (Vaswani et al. 2017, 3.2).
struct FullAttention {
  std::int64_t heads = 1;
  auto operator<=>(const FullAttention&) const = default;
};

// The same, where token i sees only tokens j with |i - j| <= window
// (Beltagy et al. 2020, 3.1).
struct LocalAttention {
  std::int64_t heads = 1;
  std::int64_t window = 1;
  auto operator<=>(const LocalAttention&) const = default;
};

using AttentionSpec = std::variant<FullAttention, LocalAttention>;
std::int64_t Heads(const AttentionSpec& attention);
// "full" or "local:8": one word, also the spelling in a search spec.
std::string AttentionName(const AttentionSpec& attention);

struct FeedForwardSpec {
  std::int64_t width = 1;
  auto operator<=>(const FeedForwardSpec&) const = default;
};

struct BlockSpec {
  AttentionSpec attention;
  FeedForwardSpec feed_forward;
  Precision precision = Precision::kF32;
  auto operator<=>(const BlockSpec&) const = default;
};

// What stands before the blocks.
struct StemSpec {
  std::int64_t d_model = 1;
  auto operator<=>(const StemSpec&) const = default;
};

// One point of a search space: a stem and a list of blocks. A value type.
struct Architecture {
  StemSpec stem;
  std::vector<BlockSpec> blocks;
  auto operator<=>(const Architecture&) const = default;
};

// {"blocks":[{"attention":{"heads":4,"kind":"full"},
//             "feed_forward":{"width":256},"precision":"w8a8"}],
//  "stem":{"d_model":128}}: integers and strings only.
Json ToJson(const Architecture& architecture);
// Strict inverse; checks that heads divide d_model. `where` names the source.
// Throws Error{kUsage}.
Architecture ArchitectureFromJson(const Json& json, const std::string& where);
std::string CanonicalText(const Architecture& architecture);
// The same with every block in f32: what training sees. Quantization comes
// after it, so architectures that differ in precision alone share one student.
Architecture WithoutPrecision(Architecture architecture);
// SHA-256 of the canonical text: the identity of an architecture.
std::string ArchitectureHash(const Architecture& architecture);
// "d128 L2 [h4 f256 full w8a8 | h2 f128 local:8 w4]" for tables of people;
// equal blocks in a row are written once with "x2".
std::string ShortText(const Architecture& architecture);

}  // namespace hone
