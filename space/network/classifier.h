#pragma once

#include <string>

#include "space/cost.h"
#include "space/network/block.h"

namespace hone {

// The tap whose value the hidden-state distillation compares: the last block's
// output after the final norm. Shapes: [B,T,D].
inline constexpr char kLastHiddenTap[] = "encoder.last_hidden";

// An encoder with a classification head: embedding and positions, the blocks,
// a final norm, the mean over tokens, one linear layer. The stem and the head
// are f32. Shapes: [B,T] token numbers -> [B,C] logits.
template <NetworkOps Ops>
typename Ops::Value Classifier(Ops& ops, const Architecture& architecture,
                               const TaskShape& task,
                               const typename Ops::Value& tokens_BT) {
  const std::int64_t d_model = architecture.stem.d_model;
  auto x_BTD = ops.Embedding("embedding", tokens_BT, task.vocabulary, d_model);
  x_BTD = ops.AddPositions("position", x_BTD, task.max_tokens, d_model);
  x_BTD = ops.Dropout(x_BTD);
  for (std::size_t i = 0; i < architecture.blocks.size(); ++i) {
    x_BTD = EncoderBlock(ops, "encoder." + std::to_string(i),
                         architecture.blocks[i], d_model, x_BTD);
  }
  x_BTD = ops.LayerNorm("encoder.norm", x_BTD, d_model);
  ops.Tap(kLastHiddenTap, x_BTD);
  return ops.Linear("classifier", ops.MeanTokens(x_BTD),
                    {d_model, task.classes, Precision::kF32});
}

}  // namespace hone
