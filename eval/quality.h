#pragma once

#include <cstdint>
#include <vector>

#include "eval/engine/engine.h"
#include "train/data/task_data.h"

namespace hone {

struct ClassificationQuality {
  double accuracy = 0;
  // Mean over the classes that occur of 2PR / (P + R).
  double macro_f1 = 0;
};

// logits row major [N, classes].
ClassificationQuality QualityOf(const std::vector<float>& logits,
                                const std::vector<std::int64_t>& labels,
                                std::int64_t classes);

// Logits of a loaded model on every row of `data`, row major [N, classes].
std::vector<float> RunModel(EngineModel& model, const TaskData& data,
                            std::int64_t batch_size, std::int64_t classes);

}  // namespace hone
