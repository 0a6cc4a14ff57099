#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/base/error.h"
#include "space/base/fields.h"

namespace hone {

// The [teacher] table: a uniform f32 architecture that is trained once per
// study ([teacher.training]), or loaded; of several checkpoints an ensemble.
struct TeacherOptions {
  std::string checkpoint;
  std::vector<std::string> checkpoints = {};
  std::string pooling = "mean";
  std::int64_t d_model = 128;
  std::int64_t layers = 2;
  std::int64_t decoder_layers = 2;
  std::int64_t heads = 4;
  std::int64_t feed_forward = 256;
  std::string attention = "full";
  std::string activation = "gelu";
  std::string positions = "learned";
  std::string norm = "layer";
  std::string norm_place = "pre";

  // The files to load; none where the teacher is trained.
  std::vector<std::string> Files() const {
    if (!checkpoint.empty()) return {checkpoint};
    return checkpoints;
  }

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("checkpoint", self.checkpoint, AnyValue{},
          "a .safetensors file with the teacher's weights, or the folder of a "
          "BERT, which says its own sizes; empty: train one");
    visit("checkpoints", self.checkpoints, AnyValue{},
          "instead of checkpoint, several such files of this one architecture: "
          "their probabilities are averaged; hidden states, relations and "
          "embedding are the first one's");
    visit("pooling", self.pooling, OneOf{{"mean", "cls", "pooler"}},
          "what a BERT's classifier, trained by [teacher.training], sees: the "
          "mean of the last hidden states, that of [CLS], or the same through "
          "the checkpoint's pooler");
    visit("d_model", self.d_model, InRange{8, 8192}, "model width");
    visit("layers", self.layers, InRange{1, 64}, "number of blocks");
    visit("decoder_layers", self.decoder_layers, InRange{1, 64},
          "number of decoder blocks behind an encoder");
    visit("heads", self.heads, InRange{1, 128}, "heads; must divide d_model");
    visit("feed_forward", self.feed_forward, InRange{8, 32768},
          "feed-forward width");
    visit("attention", self.attention, AnyValue{},
          "attention kind, spelled as in space.attention");
    visit("activation", self.activation, OneOf{NamesOf<Activation>()},
          "of the feed-forward layers");
    visit("positions", self.positions, OneOf{NamesOf<Positions>()},
          "how tokens know their place");
    visit("norm", self.norm, OneOf{NamesOf<Norm>()}, "LayerNorm or RMSNorm");
    visit("norm_place", self.norm_place, OneOf{NamesOf<NormPlace>()},
          "before or after each sublayer");
  }
};

// Whether the checkpoint is the folder of a BERT.
inline bool IsBertFolder(const TeacherOptions& options) {
  return std::filesystem::is_directory(options.checkpoint);
}

// The uniform architecture of a topology. Throws Error{kUsage}: an unknown
// attention kind, or one that does not fit.
inline Architecture TeacherArchitecture(const TeacherOptions& options,
                                        Topology topology) {
  const auto attention =
      WithHeads(ParseAttention(options.attention), options.heads);
  if (!attention) {
    throw Error(ErrorCode::kUsage,
                "teacher.attention: the key/value heads of " +
                    options.attention + " do not divide teacher.heads " +
                    std::to_string(options.heads));
  }
  BlockSpec block{
      *attention,
      {options.feed_forward, Parse<Activation>(options.activation)}};
  Architecture architecture;
  architecture.stem = {options.d_model, Parse<Positions>(options.positions),
                       Parse<Norm>(options.norm),
                       Parse<NormPlace>(options.norm_place)};
  const auto layers = static_cast<std::size_t>(options.layers);
  if (topology == Topology::kDecoder) {
    architecture.decoder.assign(layers, block);
  } else {
    architecture.encoder.assign(layers, block);
  }
  if (topology == Topology::kEncoderDecoder) {
    block.cross = CrossAttentionSpec{options.heads, 1};
    architecture.decoder.assign(
        static_cast<std::size_t>(options.decoder_layers), block);
  }
  CheckArchitecture(architecture, "teacher");
  return architecture;
}

}  // namespace hone
