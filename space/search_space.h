#pragma once

#include <optional>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/base/fields.h"
#include "space/base/rng.h"
#include "space/constraint.h"
#include "space/cost.h"

namespace hone {

// The choices of a search, as written in a spec's [space] table.
struct SearchSpaceOptions {
  std::vector<std::int64_t> d_model = {64, 128};
  std::vector<std::int64_t> layers = {1, 2};
  std::vector<std::int64_t> decoder_layers = {1, 2};
  std::vector<std::int64_t> heads = {2, 4};
  std::vector<std::int64_t> feed_forward = {128, 256};
  std::vector<std::string> attention = {"full"};
  std::vector<std::string> decoder_attention = {};
  std::vector<std::int64_t> cross_layers = {1};
  std::vector<std::string> activation = {"gelu"};
  std::vector<std::string> precision = {"f32", "w8a8", "w4"};
  std::string precision_of = "block";
  std::vector<std::int64_t> rank = {0};
  std::vector<std::int64_t> head_dim = {0};
  std::vector<std::string> attention_products = {"f32"};
  std::vector<std::string> positions = {"learned"};
  std::vector<std::string> norm = {"layer"};
  std::vector<std::string> norm_place = {"pre"};
  std::vector<std::string> output = {"tied"};
  std::vector<std::string> embedding = {"f32"};
  std::vector<std::int64_t> embedding_rank = {0};
  std::vector<std::string> compute = {"f32"};
  // Bounds on a cost metric: "parameters <= 2e6".
  std::vector<std::string> constraints = {};

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("d_model", self.d_model, InRange{8, 8192}, "model widths to try");
    visit("layers", self.layers, InRange{1, 64},
          "numbers of blocks to try; in an encoder-decoder, of the encoder");
    visit("decoder_layers", self.decoder_layers, InRange{1, 64},
          "the same for the decoder of an encoder-decoder");
    visit("heads", self.heads, InRange{1, 128},
          "attention heads to try, per block; each must divide some d_model");
    visit("feed_forward", self.feed_forward, InRange{8, 32768},
          "feed-forward widths to try, per block");
    visit("attention", self.attention, AnyValue{},
          "attention kinds to try, per block: \"full\", \"full:KV_HEADS\", "
          "\"local:WINDOW\", \"strided:STRIDE\", \"linformer:RANK\" (or "
          "linformer:RANK:key-value, linformer:RANK:layerwise), "
          "\"performer:FEATURES\", \"linear\"");
    visit(
        "decoder_attention", self.decoder_attention, AnyValue{},
        "the same for the decoder of an encoder-decoder; empty: as attention");
    visit("cross_layers", self.cross_layers, InRange{1, 64},
          "how many of the last encoder blocks a decoder block attends to");
    visit("activation", self.activation, OneOf{NamesOf<Activation>()},
          "feed-forward activations to try, per block");
    visit(
        "precision", self.precision, AnyValue{},
        "precisions to try, per block, such as \"f32\", \"w8a8\", \"w8\", "
        "\"w4\", \"w4-nf4:64\", \"w2-kmeans\"; docs/compression.md lists them");
    visit("precision_of", self.precision_of, OneOf{{"block", "linear"}},
          "whether the layers of a block share one precision, or each linear "
          "layer has its own");
    visit("rank", self.rank, InRange{0, 8192},
          "ranks to try, per block: a layer for which it saves weights becomes "
          "a product of two matrices; 0: none does");
    visit("head_dim", self.head_dim, InRange{0, 1024},
          "dimensions of a self-attention head to try, per block; 0: d_model / "
          "heads");
    visit("attention_products", self.attention_products,
          OneOf{NamesOf<AttentionProducts>()},
          "what the products of self-attention are computed in, per block: "
          "\"f32\", or \"a8\" (full and local attention; others stay f32)");
    visit("positions", self.positions, OneOf{NamesOf<Positions>()},
          "how tokens know their place, for the whole network");
    visit("norm", self.norm, OneOf{NamesOf<Norm>()},
          "LayerNorm or RMSNorm, for the whole network");
    visit("norm_place", self.norm_place, OneOf{NamesOf<NormPlace>()},
          "norm before or after each sublayer, for the whole network");
    visit("output", self.output, OneOf{NamesOf<OutputEmbedding>()},
          "whether a decoder's output layer is its embedding table");
    visit("embedding", self.embedding, AnyValue{},
          "precisions of the token table to try, and of an output layer that "
          "is tied to it: \"f32\", \"w8\", \"w4:row\", \"w2:row\"");
    visit("embedding_rank", self.embedding_rank, InRange{0, 8192},
          "columns of the token table to try, which a linear layer widens to "
          "d_model; 0, or one that makes nothing smaller: d_model");
    visit("compute", self.compute, OneOf{NamesOf<Compute>()},
          "what the rest of the network is computed in, beside what precisions "
          "round: \"f32\", or \"bf16\" where engine and CPU have it");
    visit("constraints", self.constraints, AnyValue{},
          "bounds checked before any training, such as \"parameters <= 2e6\"; "
          "metrics: parameters, multiply_adds, weight_bytes, activation_bytes, "
          "cache_bytes");
  }
};

// The set of architectures of the task's topology that a search may propose.
// What does not fit together (heads that do not divide d_model) is no member.
// Immutable; safe to share between threads.
class SearchSpace {
 public:
  // `task` fixes what the cost depends on beside the architecture.
  // Throws Error{kUsage}: bad word, empty list, no head count that divides, a
  // width or depth that no block fits.
  SearchSpace(const SearchSpaceOptions& options, const TaskShape& task);

  const SearchSpaceOptions& options() const { return options_; }
  const TaskShape& task() const { return task_; }

  // The number of architectures before the constraints, exact up to 2^53.
  double Size() const;
  // Every block and the stem are choices of the space, and the constraints
  // hold.
  bool Contains(const Architecture& architecture) const;
  // Empty when all constraints hold, else the first broken one in words.
  std::string ConstraintViolation(const Architecture& architecture) const;
  // Uniform over (stem, depths, then each block independently), rejecting what
  // breaks a constraint. Throws Error{kUsage} after 10,000 rejections.
  Architecture Sample(Rng& rng) const;
  // The uniform architecture of the largest (or smallest) numbers, with the
  // first word of each list; empty where it breaks a constraint.
  std::optional<Architecture> Largest() const;
  std::optional<Architecture> Smallest() const;
  // All members that satisfy the constraints, in spec order; throws
  // Error{kUsage} when Size() exceeds `limit`.
  std::vector<Architecture> Enumerate(std::size_t limit) const;

  // Every kind with every head count that fits the stem, in spec order, for
  // encoder or decoder blocks.
  std::vector<AttentionSpec> AttentionChoices(const StemSpec& stem,
                                              bool decoder) const;
  // The cross-attentions of a decoder block behind `encoder_layers` blocks;
  // one empty choice where there is no encoder.
  std::vector<std::optional<CrossAttentionSpec>> CrossChoices(
      const StemSpec& stem, std::size_t encoder_layers) const;
  // Depths of the encoder and of the decoder; {0} for a missing one.
  const std::vector<std::int64_t>& EncoderLayers() const;
  const std::vector<std::int64_t>& DecoderLayers() const;
  // Those of embedding_rank that make the table of this width smaller, and 0
  // where others stand there; each once.
  std::vector<std::int64_t> EmbeddingRanks(std::int64_t d_model) const;
  std::vector<StemSpec> StemChoices() const;
  // What fits the rest of a block, each written in the one way (Canonical), in
  // spec order. One choice at least.
  std::vector<std::int64_t> HeadDimChoices(
      const StemSpec& stem, const AttentionSpec& attention) const;
  std::vector<AttentionProducts> ProductChoices(
      const AttentionSpec& attention) const;
  std::vector<std::int64_t> RankChoices(const StemSpec& stem,
                                        const BlockSpec& block) const;
  // All blocks that fit a stem behind so many encoder blocks, each in one
  // precision, the first.
  std::vector<BlockSpec> BlockShapes(const StemSpec& stem,
                                     std::size_t encoder_layers,
                                     bool decoder) const;
  // Whether each linear layer has a precision of its own.
  bool PrecisionPerLinear() const;
  Precision SamplePrecision(Rng& rng) const;
  BlockSpec SampleBlock(const Architecture& around, bool decoder,
                        Rng& rng) const;

 private:
  void CheckEmbedding() const;
  void CheckAttention(const std::string& key,
                      const std::vector<std::string>& words,
                      bool decoder) const;
  std::vector<BlockSpec> BlockChoices(const StemSpec& stem,
                                      std::size_t encoder_layers,
                                      bool decoder) const;
  double CountBlocks(const StemSpec& stem, std::size_t encoder_layers,
                     bool decoder) const;
  bool ContainsPrecisions(const BlockSpec& block) const;
  void CheckBlocks() const;
  void CheckRank() const;
  void CheckProducts() const;
  BlockSpec ExtremeBlock(const StemSpec& stem, std::size_t encoder_layers,
                         bool decoder, bool largest) const;
  const std::vector<std::string>& AttentionWords(bool decoder) const;
  bool ContainsBlock(const Architecture& architecture, const BlockSpec& block,
                     bool decoder) const;
  // All blocks alike, by the smallest or the largest number of each list.
  std::optional<Architecture> Uniform(bool largest) const;

  SearchSpaceOptions options_;
  TaskShape task_;
  std::vector<Constraint> constraints_;
};

}  // namespace hone
