#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/data/task_data.h"
#include "train/eager_ops.h"
#include "train/weight_source.h"

namespace hone {

// A linear layer as the network asked for it. Layers that read one and the same
// tensor (query, key, value) share the name that `input` holds: that of the
// first of them.
struct LinearUse {
  LinearSpec spec;
  std::string input;
};
using LinearUses = std::map<std::string, LinearUse>;
// The tables of tokens, by name; none where a network reads vectors.
using TableUses = std::map<std::string, TableSpec>;
TableUses TablesOf(const Architecture& architecture, const TaskShape& task);

// Runs a network over calibration data and shows what its linear layers read.
// The arguments must outlive it. Not thread-safe.
class CalibrationRun {
 public:
  CalibrationRun(const Architecture& architecture, const TaskShape& task,
                 const NamedTensors& weights, const TaskData& data);

  LinearUses FindLinears();
  // Every layer's input [N, in] (all leading axes in one), batch after batch,
  // without gradients.
  using Watcher =
      std::function<void(const std::string& name, const at::Tensor& input_NI)>;
  void Watch(const Watcher& watcher);
  // What each product in a8 reads, likewise.
  void WatchOperands(const Watcher& watcher);

 private:
  void Run(const EagerOptions& options, std::size_t batches);

  const Architecture& architecture_;
  const TaskShape& task_;
  StoredWeights weights_;
  std::vector<Batch> batches_;
  const TaskData& data_;
};

}  // namespace hone
