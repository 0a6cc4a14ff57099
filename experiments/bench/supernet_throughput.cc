// Throughput of the supernet's training.
//
//   build/release/experiments/supernet_throughput SPEC [--steps N]
//       [--export FOLDER]
//
// --export writes what experiments/bench/supernet_throughput.py gives to
// PyTorch: batches.safetensors ("input.I" int64 [B,T], "labels.I" int64 [B])
// and members.json, the architectures of each step, the largest first; and
// trains nothing. Otherwise prints JSON: {"subnets_per_second": of the sandwich
// step on the spec's space, without teacher, rounding or dropout; "members":
// for the smallest, a random and the largest architecture the time of a
// training step as a part of the shared weights over that of the same network
// alone, in turn: "ratio" of a step in which as many parts are trained as the
// sandwich rule has, for each of them, "ratio_by_itself" of one part a step}.
// The spec's task is text-classification.

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/ops/cross_entropy_loss.h>

#include "eval/latency.h"
#include "experiments/bench/bench_main.h"
#include "experiments/search_spec.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/network/transformer.h"
#include "train/compress/stored_matrix.h"
#include "train/data/task.h"
#include "train/eager_ops.h"
#include "train/shared_weights.h"
#include "train/supernet.h"
#include "train/training_batches.h"

namespace hone {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr int kRounds = 7;
constexpr int kStepsInRound = 10;

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The batches and members that TrainSupernet would use.
void Export(const PreparedData& data, const SearchSpace& space,
            const SupernetOptions& options, const TrainingOptions& training,
            const std::filesystem::path& folder) {
  TrainingBatches batches(data.train, data.shape, training, kSeed, at::kCPU);
  SafeTensors file;
  Json members = Json::array();
  Json others;
  for (std::int64_t step = 0; step < training.steps; ++step) {
    const Batch& batch = batches.Next();
    const auto rows = static_cast<std::int64_t>(batch.rows.size());
    const std::string number = std::to_string(step);
    file.tensors["input." + number] = Stored(DType::kI64, {rows, batch.tokens},
                                             GatherTokens(data.train, batch));
    file.tensors["labels." + number] =
        Stored(DType::kI64, {rows}, GatherLabels(data.train, batch, 0, 0));
    if (step % options.hold_steps == 0) {
      others = {ToJson(LargestOf(space)), ToJson(SmallestOf(space))};
      Rng rng(kSeed, step, "subnets");
      for (std::int64_t i = 0; i < options.random_subnets; ++i) {
        others.push_back(ToJson(space.Sample(rng)));
      }
    }
    members.push_back(others);
  }
  WriteSafeTensors(folder / "batches.safetensors", file);
  WriteFileAtomic(folder / "members.json", members.dump());
}

at::Tensor LossOf(EagerOps& ops, const Architecture& architecture,
                  const TaskShape& task, const NetworkBatch& batch) {
  return at::cross_entropy_loss(
      Transformer(ops, architecture, task, batch.input, batch.target),
      batch.labels);
}

struct StepTimes {
  double alone = 0;
  double by_itself = 0;    // as a part, one a step
  double in_sandwich = 0;  // as a part, for each of several a step
};

// Seconds of training a network on a batch, with its optimizer: alone, and as a
// part of the shared weights, in turn.
StepTimes StepSeconds(const PreparedData& data, const SearchSpace& space,
                      const Architecture& member, std::int64_t parts,
                      const TrainingOptions& training) {
  TrainingBatches batches(data.train, data.shape, training, kSeed, at::kCPU);
  SharedWeights shared(SharedShapesOf(space), {.seed = kSeed});
  EagerOps slice(shared.Source(0, SharedWeights::Member::kOther));
  TrainableWeights own({kSeed, at::TensorOptions().dtype(at::kFloat), {}, {}});
  EagerOps alone(own);
  Discover(own, member, data.shape);
  AdamW optimizer(own.Leaves(true), own.Leaves(false), {});
  std::vector<double> seconds[3];
  for (int round = 0; round <= kRounds; ++round) {
    std::vector<NetworkBatch> inputs;
    for (int i = 0; i < kStepsInRound; ++i) {
      inputs.push_back(batches.Make(batches.Next()));
    }
    const auto shared_step = [&](const NetworkBatch& batch,
                                 std::int64_t count) {
      shared.BeginStep(batch.input);
      for (std::int64_t i = 0; i < count; ++i) {
        LossOf(slice, member, data.shape, batch).backward();
      }
      shared.CollectGradients(false);
      shared.Step(1e-3, 1e-3, 1);
    };
    const auto time = [&](std::size_t which, std::int64_t count,
                          const auto& step) {
      const Clock::time_point start = Clock::now();
      for (const NetworkBatch& batch : inputs) step(batch, count);
      if (round == 0) return;  // warms up
      seconds[which].push_back(Seconds(start) /
                               static_cast<double>(kStepsInRound * count));
    };
    time(0, 1, [&](const NetworkBatch& batch, std::int64_t) {
      LossOf(alone, member, data.shape, batch).backward();
      optimizer.Step(1e-3, 1);
      for (auto& [name, table] : own.tables()) table.Step(1e-3, 1);
    });
    time(1, 1, shared_step);
    time(2, parts, shared_step);
  }
  return {Median(seconds[0]), Median(seconds[1]), Median(seconds[2])};
}

int Main(const std::vector<std::string>& words) {
  if (words.empty() || words.size() % 2 != 1) {
    throw Error(
        ErrorCode::kUsage,
        "usage: supernet_throughput SPEC [--steps N] [--export FOLDER]");
  }
  const SearchSpec spec = ReadSearchSpec(words[0], {});
  InitializeTorch();
  const PreparedData data = PrepareData(spec.task, {});
  const SearchSpace space(spec.space, data.shape);
  SupernetOptions options = spec.supernet;
  options.rounded = false;
  TrainingOptions training = spec.supernet_training;
  training.dropout = 0;
  training.word_dropout = 0;
  training.warmup_steps = 0;
  training.steps = 100;
  std::filesystem::path folder;
  for (std::size_t i = 1; i < words.size(); i += 2) {
    if (words[i] == "--steps") training.steps = std::stoll(words[i + 1]);
    if (words[i] == "--export") folder = words[i + 1];
  }
  if (!folder.empty()) {
    Export(data, space, options, training, folder);
    return 0;
  }
  const SupernetJob job{.space = &space, .data = &data.train, .seed = kSeed};
  const Clock::time_point start = Clock::now();
  if (std::holds_alternative<Failure>(TrainSupernet(job, options, training))) {
    throw Error(ErrorCode::kInternal, "training diverged");
  }
  const std::int64_t parts = options.random_subnets + 2;
  const double rate =
      static_cast<double>(training.steps * parts) / Seconds(start);
  Json members = Json::array();
  Rng rng(kSeed);
  for (const Architecture& member :
       {SmallestOf(space), WithoutPrecision(space.Sample(rng)),
        LargestOf(space)}) {
    const StepTimes times = StepSeconds(data, space, member, parts, training);
    members.push_back({{"architecture", ShortText(member)},
                       {"alone_ms", times.alone * 1e3},
                       {"ratio", times.in_sandwich / times.alone},
                       {"ratio_by_itself", times.by_itself / times.alone}});
  }
  std::cout << Json{{"subnets_per_second", rate}, {"members", members}}.dump()
            << "\n";
  return 0;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  return hone::RunBenchmark("supernet_throughput", hone::Main, argc, argv);
}
