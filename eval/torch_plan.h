#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "eval/engine/engine.h"
#include "eval/export/onnx_reader.h"
#include "eval/torch_operations.h"

namespace hone {

// One operation of an inference.
struct TorchStep {
  EngineNode node;  // precision and inputs are empty where a run must tell
  std::vector<std::string> inputs;
  std::string output;
  TorchOperation run;
  bool of_shapes = false;  // known once the shapes of the inputs are
  // Where a runner keeps its values.
  std::vector<std::size_t> reads;
  std::size_t writes = 0;
  std::vector<std::size_t> last_reads;  // those nobody needs afterwards
};

using TorchValues = std::map<std::string, at::Tensor>;

struct TorchPlan {
  std::vector<TorchStep> steps;  // in the order of the file
  TorchValues known;             // constants, and what is made of them alone
};

// How LibTorch runs a file: a step for each node that is not computed from
// constants. A product with known weights takes its bias with it, and runs in
// integers where the file quantizes both operands (libtorch_engine.h). Steps
// that only such products made needless are still there. `file` names the
// nodes. Throws as MakeTorchOperation and ConstantTensor.
TorchPlan PlanInTorch(const ReadModel& model, const std::string& file);

}  // namespace hone
