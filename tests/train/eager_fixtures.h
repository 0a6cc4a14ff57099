#pragma once

#include <map>
#include <string>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "space/architecture.h"
#include "space/base/rng.h"
#include "train/data/task_data.h"
#include "train/weight_source.h"

namespace hone {

inline at::Tensor RandomTensor(at::IntArrayRef shape, std::uint64_t seed,
                               at::ScalarType type = at::kDouble) {
  return at::empty(shape, type)
      .normal_(0, 1, at::detail::createCPUGenerator(seed));
}

// Weights given by name.
class GivenWeights : public WeightSource {
 public:
  std::map<std::string, at::Tensor> tensors;
  at::Tensor Get(const std::string& name, WeightRole,
                 at::IntArrayRef) override {
    return tensors.at(name);
  }
};

// Two blocks of different kinds, precision to taste.
inline Architecture TinyArchitecture(std::int64_t d_model,
                                     Precision precision) {
  return {{d_model},
          {{MultiHead(2), {2 * d_model}, precision},
           {LocalAttention{4, 1}, {d_model}, precision}}};
}

// Texts whose label is the class of their most frequent kind of token: easy to
// learn, not trivial. Tokens of class c are 1 + c, 1 + c + classes, ...
inline TaskData TinyData(std::int64_t examples, std::int64_t classes,
                         std::uint64_t seed) {
  Rng rng(seed);
  TaskData data;
  for (std::int64_t i = 0; i < examples; ++i) {
    const auto label = static_cast<std::int64_t>(
        rng.Below(static_cast<std::uint64_t>(classes)));
    const std::uint64_t length = 3 + rng.Below(4);
    std::vector<std::int64_t> tokens;
    for (std::uint64_t t = 0; t < length; ++t) {
      const bool own = t < 2 || rng.Bernoulli(0.5);
      const std::int64_t kind = own ? label
                                    : static_cast<std::int64_t>(rng.Below(
                                          static_cast<std::uint64_t>(classes)));
      tokens.push_back(1 + kind +
                       classes * static_cast<std::int64_t>(rng.Below(4)));
    }
    rng.Shuffle(tokens);
    data.tokens.push_back(std::move(tokens));
    data.labels.push_back(label);
  }
  return data;
}

}  // namespace hone
