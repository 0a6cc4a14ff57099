#include "train/compress/calibration_run.h"

#include <algorithm>
#include <utility>

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
  // Alive, so that none is taken for another.
  std::vector<std::pair<at::Tensor, std::string>> inputs;
  const EagerOptions options{.observer = [&](const std::string& name,
                                             const LinearSpec& spec,
                                             const at::Tensor& input) {
    auto known =
        std::find_if(inputs.begin(), inputs.end(),
                     [&](const auto& one) { return one.first.is_same(input); });
    if (known == inputs.end()) known = inputs.emplace(known, input, name);
    linears[name] = {spec, known->second};
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

void CalibrationRun::WatchOperands(const Watcher& watcher) {
  const EagerOptions options{
      .operand_observer = [&](const std::string& name, const at::Tensor& x) {
        watcher(name, x.contiguous());
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
