#pragma once

#include <algorithm>

#include "space/base/rng.h"
#include "space/cost.h"
#include "train/data/task_data.h"

namespace hone {

// Random examples for a network of any shape, of lengths from 1 to the longest.
inline TaskData RandomExamples(const TaskShape& task, std::int64_t count,
                               std::uint64_t seed) {
  Rng rng(seed);
  const auto tokens = [&](std::int64_t length) {
    std::vector<std::int64_t> made;
    for (std::int64_t i = 0; i < length; ++i) {
      made.push_back(static_cast<std::int64_t>(
          rng.Below(static_cast<std::uint64_t>(task.vocabulary - 2))));
    }
    return made;
  };
  TaskData data;
  if (task.topology == Topology::kDecoder) {
    data.window = task.max_tokens;
    data.stream = tokens(count * task.max_tokens + 5);
    data.characters = static_cast<std::int64_t>(data.stream.size());
    return data;
  }
  for (std::int64_t row = 0; row < count; ++row) {
    if (task.features > 0) {
      data.frames.count = task.max_tokens;
      data.frames.width = task.features;
      for (std::int64_t i = 0; i < task.max_tokens * task.features; ++i) {
        data.frames.values.push_back(static_cast<float>(rng.Normal()));
      }
    } else {
      data.tokens.push_back(tokens(1 + row % task.max_tokens));
    }
    if (task.topology == Topology::kEncoder) {
      data.labels.push_back(row % task.classes);
    } else {
      data.targets.push_back(tokens(row % task.max_target_tokens));
      data.references.emplace_back("x");
    }
  }
  return data;
}

}  // namespace hone
