#include "train/compress/calibration_run.h"

#include <ATen/core/grad_mode.h>

#include "space/network/transformer.h"
#include "train/forward.h"

namespace hone {
namespace {

constexpr std::int64_t kCalibrationBatch = 64;

}  // namespace

TableUses TablesOf(const Architecture& architecture, const TaskShape& task) {
  if (task.features > 0) return {};
  return {{kEmbedding, TokenTable(architecture.stem, task.vocabulary)}};
}

CalibrationRun::CalibrationRun(const Architecture& architecture,
                               const TaskShape& task,
                               const NamedTensors& weights,
                               const TaskData& data)
    : architecture_(architecture),
      task_(task),
      weights_(weights, at::kCPU),
      batches_(OrderedBatches(data, kCalibrationBatch)),
      data_(data) {}

LinearUses CalibrationRun::FindLinears() {
  LinearUses linears;
  at::Tensor last_input;
  std::string last_name;
  const EagerOptions options{.observer = [&](const std::string& name,
                                             const LinearSpec& spec,
                                             const at::Tensor& input) {
    if (!input.is_same(last_input)) last_name = name;
    last_input = input;
    linears[name] = {spec, last_name};
  }};
  Run(options, 1);
  return linears;
}

void CalibrationRun::Watch(const Watcher& watcher) {
  const EagerOptions options{.observer = [&](const std::string& name,
                                             const LinearSpec& spec,
                                             const at::Tensor& input) {
    watcher(name, input.reshape({-1, spec.in}).contiguous());
  }};
  Run(options, batches_.size());
}

void CalibrationRun::Run(const EagerOptions& options, std::size_t batches) {
  const at::NoGradGuard no_grad;
  EagerOps ops(weights_, options);
  for (std::size_t i = 0; i < batches; ++i) {
    const NetworkBatch batch =
        MakeNetworkBatch(data_, task_, batches_[i], at::kCPU);
    Transformer(ops, architecture_, task_, batch.input, batch.target);
  }
}

}  // namespace hone
