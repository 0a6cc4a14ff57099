#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "space/base/rng.h"
#include "space/cost.h"
#include "train/data/task_data.h"
#include "train/forward.h"
#include "train/trainer.h"

namespace hone {

// What a network in training reads: epoch after epoch in a new order, with some
// words unknown or images moved. Every draw is from a stream of its own,
// labelled by the seed. Not thread-safe.
class TrainingBatches {
 public:
  // `data` must outlive it.
  TrainingBatches(const TaskData& data, const TaskShape& task,
                  const TrainingOptions& options, std::uint64_t seed,
                  at::Device device);

  // The rows of the next batch.
  const Batch& Next();
  // Rows of it, as they are.
  NetworkBatch Make(const Batch& rows) const;
  // The input of such a batch as a student reads it; a teacher reads it
  // untouched.
  at::Tensor Perturbed(const Batch& rows, const at::Tensor& input);

 private:
  at::Tensor InVariants(const Batch& rows, const at::Tensor& frames_BTF);
  at::Tensor WithWordsDropped(const at::Tensor& tokens_BT);

  const TaskData& data_;
  TaskShape task_;
  std::int64_t batch_size_;
  double word_dropout_;
  std::uint64_t seed_;
  at::Device device_;
  at::Generator word_generator_;
  Rng variants_;
  std::vector<at::Tensor> variant_table_;
  std::int64_t epoch_ = 0;
  std::vector<Batch> batches_;
  std::size_t next_ = 0;
};

}  // namespace hone
