#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <variant>

#include "eval/measurement.h"
#include "space/base/tensor_data.h"
#include "space/search_space.h"
#include "train/data/task_data.h"
#include "train/distill/distillation.h"
#include "train/supernet_options.h"
#include "train/trainer.h"

namespace hone {

// What the training of a supernet needs to know beside the options.
struct SupernetJob {
  const SearchSpace* space = nullptr;
  const TaskData* data = nullptr;  // the training split
  std::uint64_t seed = 0;          // labels every stream
  // What the largest architecture begins with.
  NamedTensors initial = {};
  // Set where the members learn from a teacher, whose logits they learn.
  const Teacher* teacher = nullptr;
  DistillationOptions distillation = {};
  // How members are rounded, as [quantization] says.
  bool reduce_range = true;
  bool symmetric_activations = false;
  std::function<void(std::int64_t step, std::int64_t steps)> on_step = {};
  const std::atomic<bool>* cancelled = nullptr;
};

// The uniform architecture of the space's largest numbers, or of its smallest,
// whether or not constraints let it be proposed.
Architecture LargestOf(const SearchSpace& space);
Architecture SmallestOf(const SearchSpace& space);

// One set of weights for all members of a space (SharedWeights::Snapshot),
// trained by the sandwich rule (Yu et al. 2020, BigNAS, 3.1): each step the
// largest architecture learns from labels and teacher, with dropout; then the
// smallest and some random ones, without, learn the same and from what the
// largest answered; one update follows. A member's layers are the first of the
// deepest's. Random members are drawn from the stream labelled with the step,
// and with options.rounded computed as QuantizeNetwork would round them, with
// gradients that pass rounding (QatWeights). Shards of a batch are computed
// side by side, and their gradients added in order: the same job gives the
// same bytes on any number of threads. Failure{"diverged"} as of TrainNetwork.
std::variant<NamedTensors, Failure> TrainSupernet(
    const SupernetJob& job, const SupernetOptions& options,
    const TrainingOptions& training);

}  // namespace hone
