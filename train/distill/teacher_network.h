#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "space/base/tensor_data.h"
#include "train/data/task_data.h"
#include "train/distill/bert_encoder.h"
#include "train/distill/distillation.h"
#include "train/eager_ops.h"
#include "train/forward.h"
#include "train/weight_source.h"

namespace hone {

// A teacher's networks, run without gradients. Not thread-safe.
class TeacherNetwork {
 public:
  // `taps`: of the first member, kept by Logits. `teacher` must outlive it.
  TeacherNetwork(const Teacher& teacher, std::set<std::string> taps,
                 at::Device device);

  // Of an ensemble the log of the members' mean probabilities. Nothing of a
  // BERT, whose answers are stored. Shapes: [B,C], or [B,T,V] of a decoder.
  at::Tensor Logits(const NetworkBatch& batch);
  // What Logits last saw there; forgets it.
  at::Tensor TakeTap(const std::string& name);

 private:
  struct Member {
    Member(const NamedTensors& tensors, std::set<std::string> taps,
           at::Device device)
        : weights(tensors, device), ops(weights, {.taps = std::move(taps)}) {}
    StoredWeights weights;
    EagerOps ops;
  };

  const Teacher& teacher_;
  std::deque<Member> members_;
  std::optional<BertEncoder> bert_;
};

// The rows of [N,C] that have a label. Shapes: [B,C] as it is, [B,T,...] of a
// decoder -> [N,...]; labels [B] or [B,T].
at::Tensor LabelledRows(const at::Tensor& x, const at::Tensor& labels);
// The mean cross-entropy of those rows. Shapes: [B,C] or [B,T,V] -> [].
at::Tensor LabelLoss(const at::Tensor& logits, const at::Tensor& labels,
                     double label_smoothing);

// The logits of a classification on all rows, the ensemble's: f32 [N,C].
TensorData TeacherLogits(const Teacher& teacher, const TaskData& data,
                         std::int64_t batch_size);

// The teacher together with a second one of the same task, whose answers on the
// same rows are given: log of the mean of both's probabilities, as an ensemble.
// Nothing changes of a teacher whose answers are not kept.
Teacher WithSecondOpinion(Teacher teacher, const TensorData& logits_NC);

// The likeliest `top_k` tokens of a translation at each place, all but one at
// most, of softmax(logits / temperature). Padding behind a target changes
// nothing of what is before it, so this holds for any batch.
TopTargets TeacherTopTargets(const Teacher& teacher, const TaskData& data,
                             std::int64_t batch_size, std::int64_t top_k,
                             double temperature);

// The number of places before each example's first, and at the end all.
std::vector<std::int64_t> TargetPlaces(const TaskData& data);

}  // namespace hone
