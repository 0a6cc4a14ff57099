#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "space/base/tensor_data.h"
#include "train/trainer.h"

namespace hone {

// A classifier over fixed features: multinomial logistic regression by AdamW
// from zero weights, on features that are brought to mean 0 and deviation 1;
// the weights returned are those for the features as they are. Of the options
// these serve: steps, batch_size, learning_rate, warmup_steps, weight_decay,
// clip_norm, dropout (of the features), label_smoothing, beta2. The same input
// gives the same bytes.
// Shapes: features f32 [N,D] -> classifier.weight [C,D], classifier.bias [C].
// Throws: Error{kUsage} when it diverges; what on_step throws.
NamedTensors TrainLinearHead(
    const TensorData& features_ND, const std::vector<std::int64_t>& labels_N,
    std::int64_t classes, const TrainingOptions& options, std::uint64_t seed,
    const std::function<void(std::int64_t step, std::int64_t steps)>& on_step);

// features W^T + b. Shapes: f32 [N,D] -> f32 [N,C].
TensorData ApplyLinearHead(const TensorData& features_ND,
                           const NamedTensors& head);

}  // namespace hone
