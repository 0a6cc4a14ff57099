#include "train/distill/distillation.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include "space/network/classifier.h"
#include "train/eager_ops.h"
#include "train/torch_boundary.h"

namespace hone {

TensorData ComputeLogits(const Architecture& architecture,
                         const TaskShape& task, const NamedTensors& weights,
                         const TokenData& data, std::int64_t batch_size) {
  return AtTorchBoundary("computing logits", [&] {
    const at::NoGradGuard no_grad;
    StoredWeights source(weights, at::kCPU);
    EagerOps ops(source);
    at::Tensor logits_NC =
        at::empty({static_cast<std::int64_t>(data.size()), task.classes});
    for (const Batch& batch : OrderedBatches(data, batch_size)) {
      const at::Tensor logits_BC =
          Classifier(ops, architecture, task, TokensOf(data, batch, at::kCPU));
      logits_NC.index_copy_(0, at::tensor(batch.rows), logits_BC);
    }
    return ToTensorData(logits_NC);
  });
}

}  // namespace hone
