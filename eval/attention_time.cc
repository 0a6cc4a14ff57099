#include "eval/attention_time.h"

#include <chrono>
#include <memory>
#include <utility>

#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>

#include "eval/timed_network.h"
#include "space/base/error.h"
#include "space/base/rng.h"
#include "space/network/transformer.h"
#include "train/eager_ops.h"
#include "train/torch_boundary.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr std::uint64_t kSeed = 0;
// Small enough for the rest of the network to cost next to nothing.
constexpr std::int64_t kVocabulary = 16;
constexpr std::int64_t kFeatures = 8;
constexpr std::int64_t kClasses = 2;

TaskShape ShapeOf(const AttentionTiming& timing) {
  TaskShape task;
  task.topology = timing.topology;
  task.max_tokens = timing.max_tokens;
  task.classes = kClasses;
  if (timing.topology == Topology::kEncoder) {
    task.vocabulary = 0;
    task.features = kFeatures;
  } else {
    task.vocabulary = kVocabulary;
  }
  return task;
}

Architecture OneBlock(const AttentionSpec& attention,
                      const AttentionTiming& timing) {
  const BlockSpec block{attention, {timing.feed_forward}, Precision::kF32};
  Architecture architecture;
  architecture.stem.d_model = timing.d_model;
  (timing.topology == Topology::kEncoder ? architecture.encoder
                                         : architecture.decoder) = {block};
  return architecture;
}

// One block in training.
class TrainedBlock {
 public:
  TrainedBlock(Architecture architecture, const TaskShape& task,
               std::int64_t batch, std::int64_t tokens)
      : architecture_(std::move(architecture)),
        task_(task),
        weights_({.seed = kSeed, .tensors = at::kFloat}),
        ops_(weights_) {
    at::Generator generator = MakeGenerator(at::kCPU, kSeed);
    input_ = task.features > 0
                 ? at::rand({batch, tokens, task.features}, generator,
                            at::TensorOptions(at::kFloat))
                 : at::randint(task.vocabulary, {batch, tokens}, generator,
                               at::TensorOptions(at::kLong));
  }

  double Milliseconds() {
    const auto start = std::chrono::steady_clock::now();
    Transformer(ops_, architecture_, task_, input_, input_).sum().backward();
    return std::chrono::duration<double, std::milli>(
               std::chrono::steady_clock::now() - start)
        .count();
  }

 private:
  Architecture architecture_;
  TaskShape task_;
  TrainableWeights weights_;
  EagerOps ops_;
  at::Tensor input_;
};

// Times objects that say what one run took.
template <typename Block>
std::vector<Latency> TimeBlocks(
    const std::vector<std::unique_ptr<Block>>& blocks,
    const MeasurementOptions& measurement) {
  std::vector<TimedRun> runs;
  for (const auto& block : blocks) {
    runs.emplace_back([&one = *block] { return one.Milliseconds(); });
  }
  return TimeInTurn(runs, measurement, kSeed);
}

}  // namespace

std::vector<AttentionTime> TimeAttention(
    Engine& engine, const std::vector<std::string>& words,
    const AttentionTiming& timing, const MeasurementOptions& measurement) {
  const TaskShape task = ShapeOf(timing);
  std::vector<AttentionTime> times;
  std::vector<std::unique_ptr<TrainedBlock>> trained;
  std::vector<std::unique_ptr<TimedNetwork>> exported;
  for (const std::string& word : words) {
    const auto attention = WithHeads(ParseAttention(word), timing.heads);
    if (!attention) continue;
    const Architecture architecture = OneBlock(*attention, timing);
    CheckArchitecture(architecture, word);
    times.push_back({word, {}, {}});
    trained.push_back(std::make_unique<TrainedBlock>(
        architecture, task, timing.training_batch, timing.training_tokens));
    exported.push_back(ExportTimed(engine, architecture, task,
                                   InitialWeights(architecture, task, kSeed),
                                   measurement, kSeed));
  }
  const auto training = AtTorchBoundary(
      "timing attention", [&] { return TimeBlocks(trained, measurement); });
  const auto inference = TimeBlocks(exported, measurement);
  for (std::size_t i = 0; i < times.size(); ++i) {
    times[i].training = training[i];
    times[i].exported = inference[i];
  }
  return times;
}

}  // namespace hone
