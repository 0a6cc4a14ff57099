#pragma once

#include <cstdint>
#include <vector>

#include "space/base/rng.h"
#include "train/data/task_data.h"

namespace hone {

// Texts of two classes told apart by which token is more frequent, of 4 to 6
// tokens, or of `length`.
inline TaskData ToyRows(std::int64_t count, std::int64_t first,
                        std::size_t length = 0) {
  TaskData data;
  for (std::int64_t i = 0; i < count; ++i) {
    Rng rng(9, first + i, "row");
    const auto label = static_cast<std::int64_t>(rng.Below(2));
    std::vector<std::int64_t> tokens(length > 0 ? length : 4 + rng.Below(3));
    for (auto& token : tokens) {
      token = rng.Bernoulli(0.8) ? label + 1
                                 : static_cast<std::int64_t>(rng.Below(20));
    }
    data.tokens.push_back(tokens);
    data.labels.push_back(label);
  }
  return data;
}

}  // namespace hone
