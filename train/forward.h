#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "space/base/tensor_data.h"
#include "train/data/task.h"
#include "train/eager_ops.h"

namespace hone {

// A batch as the network takes it.
struct NetworkBatch {
  at::Tensor input;   // int64 [B,T], or f32 [B,T,F]
  at::Tensor target;  // int64 [B,T]: what a decoder behind an encoder reads
  at::Tensor labels;  // int64 [B], or [B,T] of a decoder with kNoLabel
  std::int64_t tokens = 0;  // real ones, read and written
};

NetworkBatch MakeNetworkBatch(const TaskData& data, const TaskShape& task,
                              const Batch& batch, at::Device device);

// Sees the logits of a batch, row major: [B,C], or [B,T,V] of a decoder.
using LogitsVisitor =
    std::function<void(const Batch& batch, std::span<const float> logits)>;

// Runs the network over all rows of `data` in OrderedBatches, in f32 without
// gradients, batches side by side on the calling arena's threads; they are seen
// one at a time and in order, so the threads change nothing. Quantized weights
// (quantize.h) are dequantized, and activations fake-quantized, which is what
// the exported graph states.
void ForEachLogits(const Architecture& architecture, const TaskShape& task,
                   const NamedTensors& weights, const TaskData& data,
                   std::int64_t batch_size, const LogitsVisitor& visit);

// The logits of a classification, row by row: f32 [N,C].
TensorData ComputeLogits(const Architecture& architecture,
                         const TaskShape& task, const NamedTensors& weights,
                         const TaskData& data, std::int64_t batch_size);
// The logits of all batches, one after the other, flat.
std::vector<float> ComputeFlatLogits(const Architecture& architecture,
                                     const TaskShape& task,
                                     const NamedTensors& weights,
                                     const TaskData& data,
                                     std::int64_t batch_size);

}  // namespace hone
