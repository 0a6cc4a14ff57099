#pragma once

#include <functional>
#include <set>
#include <string>

#include <ATen/core/Tensor.h>

#include "train/data/task_data.h"
#include "train/distill/bert.h"
#include "train/eager_ops.h"

namespace hone {

// The interpreter that computes, with a LayerNorm of another epsilon.
class BertOps : public EagerOps {
 public:
  BertOps(WeightSource& weights, double norm_epsilon,
          std::set<std::string> taps);
  Value LayerNorm(const std::string& name, const Value& x, std::int64_t dim);

 private:
  WeightSource& weights_;
  double norm_epsilon_;
};

// A BERT that reads texts of one length, for inference. Weights come from a
// source that must outlive it. Not thread-safe.
class BertEncoder {
 public:
  // `taps`: those of the blocks and of the last hidden states (transformer.h)
  // that TakeTap is asked for.
  BertEncoder(WeightSource& weights, const Bert& bert,
              std::set<std::string> taps = {});

  // The last hidden states of texts between [CLS] and [SEP].
  // Shapes: [B,T] -> [B,T+2,D]. Requires: T + 2 <= places.
  at::Tensor HiddenStates(const at::Tensor& tokens_BT);
  // What HiddenStates last saw there, of the texts' own tokens; forgets it.
  // Shapes: [B,T,...].
  at::Tensor TakeTap(const std::string& name);
  // tanh(W x + b) of the first hidden state (Devlin et al. 2019, the input of
  // next sentence prediction). Shapes: [B,T,D] -> [B,D].
  at::Tensor Pooled(const at::Tensor& hidden_BTD);

 private:
  Bert bert_;
  BertOps ops_;
};

// How the hidden states of a text become one vector:
//   mean    of all of them, [CLS] and [SEP] included
//   cls     that of [CLS]
//   pooler  the same through the checkpoint's pooler
// What is done with a part of the texts is reported as a fraction of all; the
// report may throw. Shapes: f32 [N,D], row by row.
// Throws: Error{kUsage} when a text is too long for the BERT's positions, or it
// has no pooler.
TensorData BertFeatures(
    const BertCheckpoint& checkpoint, const std::string& pooling,
    const TaskData& data, std::int64_t batch_size,
    const std::function<void(double fraction)>& on_progress);

}  // namespace hone
