#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "space/architecture.h"
#include "train/data/task_data.h"
#include "train/distill/distillation.h"
#include "train/distill/layer_map.h"
#include "train/distill/losses.h"
#include "train/distill/teacher_network.h"
#include "train/eager_ops.h"
#include "train/forward.h"
#include "train/weight_source.h"

namespace hone {

// What one student learns from its teacher: the loss of DistillationOptions,
// and the projections of hidden states that are learned beside the student. The
// teacher's network runs only where its answers are not known yet. Not
// thread-safe.
class Distiller {
 public:
  // `weights` make the projections. All references must outlive it.
  // Throws Error{kUsage}: the teacher has no such layer; Error{kInternal}: its
  // stored answers are not those of `data` at this temperature.
  Distiller(const Teacher& teacher, const DistillationOptions& options,
            const Architecture& student, const TaskData& data,
            const TrainableWeightsOptions& weights, at::Device device);

  // Projections that are trained.
  std::vector<at::Tensor> Leaves() const { return projections_.Leaves(true); }

  // `hard`: the cross-entropy with the labels; `logits`: the student's, as its
  // network gave them in `ops`, which has the taps of StudentTaps. -> [].
  at::Tensor Loss(const at::Tensor& hard, const at::Tensor& logits,
                  const Batch& rows, const NetworkBatch& batch, EagerOps& ops);
  // Of that the terms of labels and logits alone, with what Answers said.
  at::Tensor LogitsLoss(const at::Tensor& hard, const at::Tensor& logits,
                        const std::optional<SoftTargets>& answers,
                        const NetworkBatch& batch) const;
  // What the teacher says of the rows that have a label.
  SoftTargets Answers(const Batch& rows, const NetworkBatch& batch);

 private:
  void CheckStoredAnswers() const;
  bool AnswersAreStored() const;
  SoftTargets Targets(const Batch& rows, const NetworkBatch& batch,
                      const std::optional<at::Tensor>& logits) const;
  SoftTargets StoredTopTargets(const Batch& rows) const;
  at::Tensor Projection(const LayerPair& pair);
  at::Tensor HiddenTerm(const NetworkBatch& batch, EagerOps& ops);
  at::Tensor RelationTerm(const NetworkBatch& batch, EagerOps& ops);

  const Teacher& teacher_;
  const DistillationOptions& options_;
  const Architecture& student_;
  const TaskData& data_;
  at::Device device_;
  std::vector<LayerPair> hidden_;
  std::vector<LayerPair> relations_;
  TrainableWeights projections_;
  TeacherNetwork network_;
  at::Tensor logits_NC_;
  at::Tensor top_tokens_PK_;
  at::Tensor top_log_probabilities_;
  std::vector<std::int64_t> places_;
};

}  // namespace hone
