#pragma once

#include <cstdint>
#include <string>

#include "space/architecture.h"
#include "space/base/fields.h"

namespace hone {

// The [teacher] table: a uniform f32 architecture that is trained once per
// study
// ([teacher.training]), or loaded.
struct TeacherOptions {
  std::string checkpoint;
  std::int64_t d_model = 128;
  std::int64_t layers = 2;
  std::int64_t heads = 4;
  std::int64_t feed_forward = 256;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("checkpoint", self.checkpoint, AnyValue{},
          "a .safetensors file with the teacher's weights; empty: train one");
    visit("d_model", self.d_model, InRange{8, 8192}, "model width");
    visit("layers", self.layers, InRange{1, 64}, "number of blocks");
    visit("heads", self.heads, InRange{1, 128}, "heads; must divide d_model");
    visit("feed_forward", self.feed_forward, InRange{8, 32768},
          "feed-forward width");
  }
};

inline Architecture TeacherArchitecture(const TeacherOptions& options) {
  const BlockSpec block{
      FullAttention{options.heads}, {options.feed_forward}, Precision::kF32};
  return {
      {options.d_model},
      std::vector<BlockSpec>(static_cast<std::size_t>(options.layers), block)};
}

}  // namespace hone
