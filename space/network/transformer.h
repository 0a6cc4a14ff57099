#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "space/cost.h"
#include "space/network/block.h"

namespace hone {

// The tap of the last block's output after the final norm, of the decoder where
// there is one; the output of each block, before that norm, is tapped under the
// block's name. Shapes: [B,T,D].
inline constexpr char kLastHiddenTap[] = "last_hidden";

inline std::string BlockName(const char* side, std::size_t i) {
  return std::string(side) + "." + std::to_string(i);
}

// A block and the name that its weights begin with.
struct NamedBlock {
  std::string name;
  BlockSpec block;
};

// Encoder blocks, then decoder blocks.
inline std::vector<NamedBlock> NamedBlocks(const Architecture& architecture) {
  std::vector<NamedBlock> named;
  for (std::size_t i = 0; i < architecture.encoder.size(); ++i) {
    named.push_back({BlockName("encoder", i), architecture.encoder[i]});
  }
  for (std::size_t i = 0; i < architecture.decoder.size(); ++i) {
    named.push_back({BlockName("decoder", i), architecture.decoder[i]});
  }
  return named;
}

// Adds what tells tokens their places, where that is added at all. A sinusoid
// is of size 1, and embeddings are brought to that (Vaswani et al. 2017, 3.4).
template <NetworkOps Ops>
typename Ops::Value WithPositions(Ops& ops, const std::string& name,
                                  const StemSpec& stem, std::int64_t places,
                                  const typename Ops::Value& x_BTD) {
  switch (stem.positions) {
    case Positions::kLearned:
      return ops.AddPositions(name, x_BTD, places, stem.d_model);
    case Positions::kSinusoidal:
      return ops.AddSinusoids(
          ops.Scale(x_BTD, std::sqrt(static_cast<double>(stem.d_model))),
          places, stem.d_model);
    case Positions::kRotary:
    case Positions::kNone:
      break;
  }
  return x_BTD;
}

template <NetworkOps Ops>
typename Ops::Value FinalNorm(Ops& ops, const char* side, const StemSpec& stem,
                              const typename Ops::Value& x_BTD) {
  if (stem.norm_place == NormPlace::kPost) return x_BTD;
  return Normalize(ops, std::string(side) + ".norm", stem, x_BTD);
}

// The weights behind the token table's columns.
inline constexpr char kEmbedding[] = "embedding";
inline constexpr char kEmbeddingExpand[] = "embedding.expand";

inline TableSpec TokenTable(const StemSpec& stem, std::int64_t vocabulary) {
  const bool narrow = IsFactored(stem.embedding_rank, vocabulary, stem.d_model);
  return {vocabulary, narrow ? stem.embedding_rank : stem.d_model,
          stem.embedding};
}

// Rows of a table that may be narrower than the network: [B,T,R] -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value Widened(Ops& ops, const StemSpec& stem,
                            const TableSpec& table,
                            const typename Ops::Value& x_BTR) {
  if (table.dim == stem.d_model) return x_BTR;
  return ops.Linear(kEmbeddingExpand, x_BTR,
                    {table.dim, stem.d_model, Precision::kF32});
}

// Scores of all tokens by the table's own rows: [B,T,D] -> [B,T,V]. The bias of
// a product's second layer would add the same to all of them.
template <NetworkOps Ops>
typename Ops::Value TiedLogits(Ops& ops, const StemSpec& stem,
                               const TableSpec& table,
                               typename Ops::Value x_BTD) {
  if (table.dim != stem.d_model) {
    x_BTD = ops.MatMul(x_BTD,
                       ops.Matrix(kEmbeddingExpand, stem.d_model, table.dim));
  }
  return ops.MatMul(x_BTD, ops.Transpose(ops.Table(kEmbedding, table), 0, 1));
}

// [B,T] token numbers, or [B,T,F] vectors, -> [B,T,D].
template <NetworkOps Ops>
typename Ops::Value EncoderInput(Ops& ops, const Architecture& architecture,
                                 const TaskShape& task,
                                 const typename Ops::Value& input) {
  const std::int64_t d_model = architecture.stem.d_model;
  if (task.features > 0) {
    return ops.Linear("input", input,
                      {task.features, d_model, Precision::kF32});
  }
  const TableSpec table = TokenTable(architecture.stem, task.vocabulary);
  return Widened(ops, architecture.stem, table,
                 architecture.decoder.empty()
                     ? ops.Embedding(kEmbedding, input, table)
                     : ops.Lookup(kEmbedding, input, table));
}

// The outputs of all encoder blocks, each [B,T,D], before the final norm.
template <NetworkOps Ops>
std::vector<typename Ops::Value> EncoderOutputs(
    Ops& ops, const Architecture& architecture, const TaskShape& task,
    const typename Ops::Value& input) {
  const StemSpec& stem = architecture.stem;
  auto x_BTD =
      ops.Dropout(WithPositions(ops, "position", stem, task.max_tokens,
                                EncoderInput(ops, architecture, task, input)));
  std::vector<typename Ops::Value> outputs;
  for (std::size_t i = 0; i < architecture.encoder.size(); ++i) {
    const std::string name = BlockName("encoder", i);
    x_BTD =
        Block(ops, name,
              AttentionPlace{name + ".attention", 0, task.max_tokens, false},
              stem, architecture.encoder[i], std::nullopt, x_BTD);
    ops.Tap(name, x_BTD);
    outputs.push_back(x_BTD);
  }
  return outputs;
}

// An encoder with a classification head: the mean over tokens, one linear
// layer. All but the token table and the blocks is f32. Shapes: [B,T] or
// [B,T,F] -> [B,C] logits.
template <NetworkOps Ops>
typename Ops::Value Classifier(Ops& ops, const Architecture& architecture,
                               const TaskShape& task,
                               const typename Ops::Value& input) {
  const auto x_BTD =
      FinalNorm(ops, "encoder", architecture.stem,
                EncoderOutputs(ops, architecture, task, input).back());
  ops.Tap(kLastHiddenTap, x_BTD);
  return ops.Linear("classifier", ops.MeanTokens(x_BTD),
                    {architecture.stem.d_model, task.classes, Precision::kF32});
}

// What each decoder block remembers of the source. Shapes: [B,S] -> [B,H,S,E]
// each, S as many times as the block sees encoder layers.
template <NetworkOps Ops>
std::vector<SourceMemory<typename Ops::Value>> EncodeSource(
    Ops& ops, const Architecture& architecture, const TaskShape& task,
    const typename Ops::Value& source_BS) {
  auto outputs = EncoderOutputs(ops, architecture, task, source_BS);
  std::int64_t used = 0;
  for (const BlockSpec& block : architecture.decoder) {
    used = std::max(used, block.cross->layers);
  }
  const auto layers = static_cast<std::int64_t>(outputs.size());
  for (std::int64_t i = layers - used; i < layers; ++i) {
    auto& output = outputs[static_cast<std::size_t>(i)];
    output = FinalNorm(ops, "encoder", architecture.stem, output);
  }
  std::vector<SourceMemory<typename Ops::Value>> memories;
  for (std::size_t i = 0; i < architecture.decoder.size(); ++i) {
    const BlockSpec& block = architecture.decoder[i];
    memories.push_back(RememberSource(
        ops, BlockName("decoder", i) + ".cross", architecture.stem, block,
        std::vector<typename Ops::Value>(outputs.end() - block.cross->layers,
                                         outputs.end())));
  }
  return memories;
}

// The decoder: `memories` are those of EncodeSource, or none. The last layer is
// f32, or the token table as it is. Shapes: [B,T] -> [B,T,V] logits of the
// token after each.
template <NetworkOps Ops>
typename Ops::Value Decoder(
    Ops& ops, const Architecture& architecture, const TaskShape& task,
    const std::vector<SourceMemory<typename Ops::Value>>& memories,
    const typename Ops::Value& tokens_BT) {
  const StemSpec& stem = architecture.stem;
  const bool alone = architecture.encoder.empty();
  const std::int64_t places = alone ? task.max_tokens : task.max_target_tokens;
  const TableSpec table = TokenTable(stem, task.vocabulary);
  auto x_BTD = ops.Dropout(WithPositions(
      ops, alone ? "position" : "target_position", stem, places,
      Widened(ops, stem, table, ops.Lookup(kEmbedding, tokens_BT, table))));
  for (std::size_t i = 0; i < architecture.decoder.size(); ++i) {
    const std::string name = BlockName("decoder", i);
    std::optional<SourceMemory<typename Ops::Value>> memory;
    if (!alone) memory = memories[i];
    x_BTD =
        Block(ops, name, AttentionPlace{name + ".attention", 0, places, true},
              stem, architecture.decoder[i], memory, x_BTD);
    ops.Tap(name, x_BTD);
  }
  x_BTD = FinalNorm(ops, "decoder", stem, x_BTD);
  ops.Tap(kLastHiddenTap, x_BTD);
  if (stem.output == OutputEmbedding::kTied) {
    return TiedLogits(ops, stem, table, x_BTD);
  }
  return ops.Linear("output", x_BTD,
                    {stem.d_model, task.vocabulary, Precision::kF32});
}

// The whole network of any topology. `target_BT`: what a decoder behind an
// encoder has read; unused elsewhere. Shapes: as Classifier or Decoder.
template <NetworkOps Ops>
typename Ops::Value Transformer(Ops& ops, const Architecture& architecture,
                                const TaskShape& task,
                                const typename Ops::Value& input,
                                const typename Ops::Value& target_BT) {
  switch (TopologyOf(architecture)) {
    case Topology::kEncoder:
      return Classifier(ops, architecture, task, input);
    case Topology::kDecoder:
      return Decoder(ops, architecture, task, {}, input);
    case Topology::kEncoderDecoder:
      break;
  }
  return Decoder(ops, architecture, task,
                 EncodeSource(ops, architecture, task, input), target_BT);
}

}  // namespace hone
