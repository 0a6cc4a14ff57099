#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/architecture.h"

namespace hone {

// What a network's size depends on beside its architecture.
struct TaskShape {
  Topology topology = Topology::kEncoder;
  // Tokens that encoder and decoder read and that a decoder predicts. 0: the
  // encoder reads vectors of `features` numbers (image patches, frames).
  std::int64_t vocabulary = 1;
  std::int64_t features = 0;
  std::int64_t classes = 1;     // of a classifier
  std::int64_t max_tokens = 1;  // that an encoder, or a lone decoder, reads
  std::int64_t max_target_tokens = 0;  // that a decoder behind an encoder reads
  bool operator==(const TaskShape&) const = default;
};

// Closed-form cost of one forward pass, counted by CostOps over the same
// network code that trains and exports.
struct Cost {
  std::int64_t parameters = 0;
  // Multiply-adds of linear layers and attention for batch x tokens.
  std::int64_t multiply_adds = 0;
  // Weights at their precision, with scales and biases.
  std::int64_t weight_bytes = 0;
  // Largest inputs plus output of one operation, in f32.
  std::int64_t activation_bytes = 0;
  // What a decoder remembers of `tokens` tokens, in f32: keys and values, or
  // the running sums of linear attention. 0 for a classifier.
  std::int64_t cache_bytes = 0;
  bool operator==(const Cost&) const = default;
};

// Of one pass over batch x tokens, and in an encoder-decoder as many target
// tokens (at most max_target_tokens).
Cost CostOf(const Architecture& architecture, const TaskShape& task,
            std::int64_t batch, std::int64_t tokens);

// The names of Cost's members, and the value of one. Throws Error{kUsage} with
// a suggestion for an unknown name.
const std::vector<std::string>& CostMetricNames();
double CostMetric(const Cost& cost, const std::string& name);

}  // namespace hone
