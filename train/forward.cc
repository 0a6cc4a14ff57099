#include "train/forward.h"

#include <algorithm>
#include <memory>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include "space/base/error.h"
#include "space/network/transformer.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

// Batches that are computed or wait to be seen, for each thread.
constexpr std::size_t kBatchesOfAThread = 2;

// An interpreter and the weights that it dequantizes are one thread's.
struct ThreadNetwork {
  explicit ThreadNetwork(const NamedTensors& weights)
      : source(weights, at::kCPU), ops(source) {}
  StoredWeights source;
  EagerOps ops;
};

}  // namespace

NetworkBatch MakeNetworkBatch(const TaskData& data, const TaskShape& task,
                              const Batch& batch, at::Device device) {
  const auto rows = static_cast<std::int64_t>(batch.rows.size());
  const auto numbers = [&](const std::vector<std::int64_t>& values,
                           std::int64_t tokens) {
    return at::tensor(values).view({rows, tokens}).to(device);
  };
  NetworkBatch made;
  if (task.topology == Topology::kEncoder) {
    made.input = task.features > 0
                     ? at::tensor(GatherFrames(data, batch))
                           .view({rows, data.frames.count, data.frames.width})
                           .to(device)
                     : numbers(GatherTokens(data, batch), batch.tokens);
    made.labels = at::tensor(GatherLabels(data, batch, 0, 0)).to(device);
    made.tokens = rows * made.input.size(1);
    return made;
  }
  const DecoderBatch decoder =
      GatherDecoderBatch(data, batch, BeginToken(task), EndToken(task));
  made.labels = numbers(decoder.labels, decoder.tokens);
  made.tokens = static_cast<std::int64_t>(
      std::count_if(decoder.labels.begin(), decoder.labels.end(),
                    [](std::int64_t label) { return label != kNoLabel; }));
  if (task.topology == Topology::kDecoder) {
    made.input = numbers(decoder.input, decoder.tokens);
  } else {
    made.input = numbers(GatherTokens(data, batch), batch.tokens);
    made.target = numbers(decoder.input, decoder.tokens);
    made.tokens += rows * batch.tokens;
  }
  return made;
}

void ForEachLogits(const Architecture& architecture, const TaskShape& task,
                   const NamedTensors& weights, const TaskData& data,
                   std::int64_t batch_size, const LogitsVisitor& visit) {
  struct Answered {
    std::size_t place = 0;
    at::Tensor logits;
  };
  const std::vector<Batch> batches = OrderedBatches(data, batch_size);
  tbb::enumerable_thread_specific<std::unique_ptr<ThreadNetwork>> networks(
      [&] { return std::make_unique<ThreadNetwork>(weights); });
  std::size_t next = 0;
  const auto take = [&](tbb::flow_control& flow) {
    if (next == batches.size()) flow.stop();
    return next++;
  };
  const auto answer = [&](std::size_t place) {
    return AtTorchBoundary("computing logits", [&] {
      const at::NoGradGuard no_grad;
      const NetworkBatch made =
          MakeNetworkBatch(data, task, batches[place], at::kCPU);
      return Answered{place, Transformer(networks.local()->ops, architecture,
                                         task, made.input, made.target)
                                 .contiguous()};
    });
  };
  const auto show = [&](const Answered& one) {
    visit(batches[one.place], {one.logits.const_data_ptr<float>(),
                               static_cast<std::size_t>(one.logits.numel())});
  };
  const auto threads =
      static_cast<std::size_t>(tbb::this_task_arena::max_concurrency());
  tbb::parallel_pipeline(kBatchesOfAThread * threads,
                         tbb::make_filter<void, std::size_t>(
                             tbb::filter_mode::serial_in_order, take) &
                             tbb::make_filter<std::size_t, Answered>(
                                 tbb::filter_mode::parallel, answer) &
                             tbb::make_filter<Answered, void>(
                                 tbb::filter_mode::serial_in_order, show));
}

TensorData ComputeLogits(const Architecture& architecture,
                         const TaskShape& task, const NamedTensors& weights,
                         const TaskData& data, std::int64_t batch_size) {
  HONE_CHECK(task.topology == Topology::kEncoder);
  const std::int64_t classes = task.classes;
  std::vector<float> logits_NC(data.size() * static_cast<std::size_t>(classes));
  ForEachLogits(architecture, task, weights, data, batch_size,
                [&](const Batch& batch, std::span<const float> logits_BC) {
                  auto from = logits_BC.begin();
                  for (const std::int64_t row : batch.rows) {
                    std::copy_n(from, classes,
                                logits_NC.begin() + row * classes);
                    from += classes;
                  }
                });
  const auto* bytes = reinterpret_cast<const std::byte*>(logits_NC.data());
  return {DType::kF32,
          {static_cast<std::int64_t>(data.size()), classes},
          {bytes, bytes + logits_NC.size() * sizeof(float)}};
}

std::vector<float> ComputeFlatLogits(const Architecture& architecture,
                                     const TaskShape& task,
                                     const NamedTensors& weights,
                                     const TaskData& data,
                                     std::int64_t batch_size) {
  std::vector<float> flat;
  ForEachLogits(architecture, task, weights, data, batch_size,
                [&](const Batch&, std::span<const float> logits) {
                  flat.insert(flat.end(), logits.begin(), logits.end());
                });
  return flat;
}

}  // namespace hone
