#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "space/base/json.h"
#include "space/precision.h"

namespace hone {

// How a token knows its place.
//   learned     a trained table, added to the embedding
//   sinusoidal  a fixed table (Vaswani et al. 2017, 3.5), added likewise
//   rotary      queries and keys turned by their place (Su et al. 2021)
//   none        not at all
enum class Positions { kLearned, kSinusoidal, kRotary, kNone };

// LayerNorm (Ba et al. 2016), or RMSNorm (Zhang & Sennrich 2019): without mean
// and bias.
enum class Norm { kLayer, kRms };

// Norm before each sublayer and once at the end (Xiong et al. 2020), or after
// each residual sum (Vaswani et al. 2017).
enum class NormPlace { kPre, kPost };

// Of a feed-forward layer. swiglu: silu(x U) * (x G), then the down projection
// (Shazeer 2020).
enum class Activation { kGelu, kRelu, kSwiglu };

// Whether a decoder's output layer is its embedding table (Press & Wolf 2017)
// or has weights of its own. Of no effect on a classifier.
enum class OutputEmbedding { kTied, kUntied };

// The sequence projection of Linformer is shared by the heads of a layer, by
// keys and values too, or by all layers (Wang et al. 2020, 4).
enum class LinformerSharing { kHeadwise, kKeyValue, kLayerwise };

// The linear layers of a block, by what they are for. Their names are the ends
// of the layers' names: "attention.query", "cross.key", "feed_forward.down".
enum class LinearRole {
  kQuery,
  kKey,
  kValue,
  kOutput,
  kCrossQuery,
  kCrossKey,
  kCrossValue,
  kCrossOutput,
  kUp,
  kGate,
  kDown
};
using LinearPrecisions = std::map<LinearRole, Precision>;

// What self-attention computes its two products in, queries with keys and their
// softmax with values. a8: operands of 8 bits, queries (divided by sqrt(E)),
// keys and values in s8 with one static calibrated scale each and no zero
// point, the softmax in u8 with the scale 1/255; sums are integers.
enum class AttentionProducts { kF32, kA8 };

// What everything is computed in that no precision rounds: float layers, norms,
// softmax, residual sums. bf16: weights that no precision rounds are stored in
// it too. Needs an engine and a CPU that compute in it.
enum class Compute { kF32, kBf16 };

// The spelling of each value, in a spec and in JSON, in declaration order.
template <typename Enum>
const std::vector<std::string>& NamesOf();
template <typename Enum>
std::string Name(Enum value) {
  return NamesOf<Enum>()[static_cast<std::size_t>(value)];
}
// Throws Error{kUsage} with a suggestion.
template <typename Enum>
Enum Parse(std::string_view name);

// softmax(Q K^T / sqrt(E)) V over all tokens (Vaswani et al. 2017, 3.2). With
// fewer key/value heads than heads, groups of heads share keys and values
// (Ainslie et al. 2023); with one it is multi-query (Shazeer 2019).
struct FullAttention {
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  auto operator<=>(const FullAttention&) const = default;
};

inline FullAttention MultiHead(std::int64_t heads) { return {heads, heads}; }

// The same, where token i sees only tokens j with |i - j| <= window
// (Beltagy et al. 2020, 3.1); in a decoder, 0 <= i - j <= window.
struct LocalAttention {
  std::int64_t heads = 1;
  std::int64_t window = 1;
  auto operator<=>(const LocalAttention&) const = default;
};

// Token i sees the tokens nearer than `stride` and every stride-th one from
// itself: |i - j| < stride or (i - j) mod stride = 0 (Child et al. 2019, 4.2,
// both parts in one softmax); in a decoder j <= i besides.
struct StridedAttention {
  std::int64_t heads = 1;
  std::int64_t stride = 2;
  auto operator<=>(const StridedAttention&) const = default;
};

// Keys and values are projected along the tokens to `rank` of them (Wang et al.
// 2020). Encoders only: the projection mixes all tokens.
struct LinformerAttention {
  std::int64_t heads = 1;
  std::int64_t rank = 1;
  LinformerSharing sharing = LinformerSharing::kHeadwise;
  auto operator<=>(const LinformerAttention&) const = default;
};

// FAVOR+: softmax attention estimated with positive orthogonal random features
// (Choromanski et al. 2021). The error falls as 1 / sqrt(features).
struct PerformerAttention {
  std::int64_t heads = 1;
  std::int64_t features = 1;
  auto operator<=>(const PerformerAttention&) const = default;
};

// phi(Q) (phi(K)^T V), each row divided by its sum, phi(x) = elu(x) + 1
// (Katharopoulos et al. 2020).
struct LinearAttention {
  std::int64_t heads = 1;
  auto operator<=>(const LinearAttention&) const = default;
};

using AttentionSpec =
    std::variant<FullAttention, LocalAttention, StridedAttention,
                 LinformerAttention, PerformerAttention, LinearAttention>;
std::int64_t Heads(const AttentionSpec& attention);
std::int64_t KeyValueHeads(const AttentionSpec& attention);
// False for a kind whose products are not of queries with keys.
bool CanMultiplyInA8(const AttentionSpec& attention);
// False for a kind that mixes later tokens into earlier ones.
bool CanBeCausal(const AttentionSpec& attention);
// "full", "full:1" (key/value heads), "local:8" (window), "strided:16",
// "linformer:32" or "linformer:32:key-value", "performer:64", "linear": one
// word, also the spelling in a search spec.
std::string AttentionName(const AttentionSpec& attention);
// The kind that a word names, with no heads yet. Throws Error{kUsage}.
AttentionSpec ParseAttention(const std::string& word);
// The kind with this number of heads; empty where its key/value heads do not
// divide it.
std::optional<AttentionSpec> WithHeads(AttentionSpec kind, std::int64_t heads);

struct FeedForwardSpec {
  std::int64_t width = 1;
  Activation activation = Activation::kGelu;
  auto operator<=>(const FeedForwardSpec&) const = default;
};

// A decoder block's look at the source: full attention over the outputs of the
// last `layers` encoder blocks, one after the other along the tokens (Wang et
// al. 2020, HAT, 3.1: "arbitrary encoder-decoder attention").
struct CrossAttentionSpec {
  std::int64_t heads = 1;
  std::int64_t layers = 1;
  auto operator<=>(const CrossAttentionSpec&) const = default;
};

struct BlockSpec {
  AttentionSpec attention;
  FeedForwardSpec feed_forward;
  Precision precision = Precision::kF32;
  // In the decoder of an encoder-decoder alone.
  std::optional<CrossAttentionSpec> cross = std::nullopt;
  // Of self-attention; 0: d_model / heads. Set where heads were pruned.
  std::int64_t head_dim = 0;
  // The most that a linear layer's matrix may have: a layer [out,in] for which
  // rank < in out / (in + out) is a product of two, [out,rank] and [rank,in].
  // 0: none is.
  std::int64_t rank = 0;
  // What differs from `precision`, which most layers have (of two that are
  // equally many, that of the first layer): space/block_layers.h.
  LinearPrecisions linears = {};
  AttentionProducts products = AttentionProducts::kF32;
  auto operator<=>(const BlockSpec&) const = default;
};

// What all blocks share.
struct StemSpec {
  std::int64_t d_model = 1;
  Positions positions = Positions::kLearned;
  Norm norm = Norm::kLayer;
  NormPlace norm_place = NormPlace::kPre;
  OutputEmbedding output = OutputEmbedding::kTied;
  // Of the token table, and of an output layer that is tied to it.
  Precision embedding = Precision::kF32;
  // Columns of the token table where those are fewer than d_model: a linear
  // layer widens what is looked up (Lan et al. 2020, ALBERT, 3.1). 0, or one
  // that would not make V rows smaller (IsFactored): d_model.
  std::int64_t embedding_rank = 0;
  Compute compute = Compute::kF32;
  auto operator<=>(const StemSpec&) const = default;
};

// An encoder with a classification head, a decoder that predicts the next
// token, or an encoder-decoder with cross-attention.
enum class Topology { kEncoder, kDecoder, kEncoderDecoder };

// One point of a search space: a stem and the blocks of encoder and decoder,
// one of which may be empty. A value type.
struct Architecture {
  StemSpec stem;
  std::vector<BlockSpec> encoder;
  std::vector<BlockSpec> decoder = {};
  auto operator<=>(const Architecture&) const = default;
};
Topology TopologyOf(const Architecture& architecture);
std::int64_t HeadDim(const StemSpec& stem, const BlockSpec& block);
// Whether a product of two matrices of this rank is smaller than [out,in].
bool IsFactored(std::int64_t rank, std::int64_t in, std::int64_t out);
// Encoder blocks, then decoder blocks.
std::vector<BlockSpec> AllBlocks(const Architecture& architecture);

// {"decoder":[],
//  "encoder":[{"attention":{"heads":4,"kind":"full","kv_heads":4},
//              "feed_forward":{"activation":"gelu","width":256},
//              "precision":"w8a8"}],
//  "stem":{"d_model":128,"norm":"layer","norm_place":"pre",
//          "output":"tied","positions":"learned"}}: integers and strings only.
// "head_dim" and "rank" stand in a block where they are not 0,
// "linears":{"feed_forward.down":"w4"} where there are any, and
// "attention_products":"a8" where they are not f32; in the stem "embedding"
// where it is not f32, "embedding_rank" where it is not 0 and "compute" where
// it is not f32.
Json ToJson(const Architecture& architecture);
// Strict inverse; checks what CheckArchitecture does. `where` names the source.
// Throws Error{kUsage}.
Architecture ArchitectureFromJson(const Json& json, const std::string& where);
// Heads divide d_model, unless their dimension is given, and key/value heads
// divide heads, rotary heads are even, cross-attention stands in decoders
// behind an encoder and nowhere else and sees no more layers than there are,
// no decoder block mixes later tokens into earlier ones, precisions are of
// layers that there are and written in the one way, products in a8 are of a
// kind that has them, and the token table has a precision for tables and fewer
// columns than d_model, if it has a rank. Throws Error{kUsage} naming `where`.
void CheckArchitecture(const Architecture& architecture,
                       const std::string& where);
std::string CanonicalText(const Architecture& architecture);
// The same with all layers, products, the token table and everything else in
// f32: what training sees. Quantization comes after it, so architectures that
// differ in precision alone share one student.
Architecture WithoutPrecision(Architecture architecture);
// SHA-256 of the canonical text: the identity of an architecture.
std::string ArchitectureHash(const Architecture& architecture);
// "d128 L2 [h4 f256 full w8a8 | h2 f128 local:8 w4]" for tables of people;
// equal blocks in a row are written once with "x2", and of the stem only what
// is not the default: "d128 rotary L2 [...]"; an encoder-decoder has "L2+3".
std::string ShortText(const Architecture& architecture);

}  // namespace hone
