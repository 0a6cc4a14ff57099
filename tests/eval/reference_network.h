#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"

namespace hone {

// GoogleTest's hook.
inline void PrintTo(const Architecture& architecture, std::ostream* out) {
  *out << ShortText(architecture);
}

// An oracle for exported files that shares nothing with them but the network's
// text: plain loops in double precision, with weights, quantization and
// calibration of its own by the layout in train/compress/quantize.h.

// Normal weights, scaled so that values stay near 1 through the layers.
NamedTensors RandomWeights(const Architecture& architecture,
                           const TaskShape& task, std::uint64_t seed);

// Smallest and largest input of each linear layer, by name.
using InputRanges = std::map<std::string, std::pair<double, double>>;

// tokens row major [batch, length], or [batch, length, features] where the task
// reads vectors -> logits row major [batch, classes], or
// [batch, length, vocabulary] of a decoder. An encoder-decoder is given the
// tokens on both sides.
std::vector<float> ReferenceLogits(const Architecture& architecture,
                                   const TaskShape& task,
                                   const NamedTensors& weights,
                                   const std::vector<std::int64_t>& tokens,
                                   std::int64_t batch, std::int64_t length,
                                   InputRanges* ranges = nullptr);

// `weights` rounded to what the network computes in and to the table's and each
// block's precision; activations' ranges are those that `tokens` give.
NamedTensors QuantizeByRange(const Architecture& architecture,
                             const TaskShape& task, const NamedTensors& weights,
                             const std::vector<std::int64_t>& tokens,
                             std::int64_t batch, std::int64_t length);

// Uniform in [0, vocabulary).
std::vector<std::int64_t> RandomTokens(std::int64_t count,
                                       std::int64_t vocabulary,
                                       std::uint64_t seed);

// An input of that many places: tokens, or small whole numbers as features.
std::vector<std::int64_t> RandomInput(std::int64_t places,
                                      const TaskShape& task,
                                      std::uint64_t seed);

// Root mean square of the difference over that of the reference's deviation
// from its mean: the parity error of docs/measurement.md.
double RelativeError(const std::vector<float>& actual,
                     const std::vector<float>& reference);

}  // namespace hone
