// Training throughput of the loop that trials use: real tokens a second of one
// network of a spec, or of several side by side in one process.
//
//   build/release/experiments/training_throughput SPEC ARCHITECTURE
//       [--workers N] [--steps N] [--batches FILE]
//
// --batches writes the batches of the first epoch as safetensors, at most one
// for each step ("input.I" int64 [B,T]; "labels.I" int64 [B], or [B,T] of a
// decoder), and trains nothing: experiments/bench/training_throughput.py gives
// them to PyTorch. Otherwise prints JSON: {"tokens_per_second": of each worker,
// "final_loss": of the first, "parameters"}. The spec's task reads texts.

#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "experiments/bench/bench_main.h"
#include "experiments/search_spec.h"
#include "space/base/file.h"
#include "space/base/json.h"
#include "space/base/rng.h"
#include "train/compress/stored_matrix.h"
#include "train/data/task.h"
#include "train/trainer.h"

namespace hone {
namespace {

struct Options {
  std::string spec;
  std::string architecture;
  std::int64_t workers = 1;
  std::int64_t steps = 100;
  std::optional<std::string> batches;
};

Options Parse(const std::vector<std::string>& words) {
  Options options;
  if (words.size() < 2 || words.size() % 2 != 0) {
    throw Error(ErrorCode::kUsage,
                "usage: training_throughput SPEC ARCHITECTURE [--workers N] "
                "[--steps N] [--batches FILE]");
  }
  options.spec = words[0];
  options.architecture = words[1];
  for (std::size_t i = 2; i < words.size(); i += 2) {
    if (words[i] == "--workers") {
      options.workers = std::stoll(words[i + 1]);
    } else if (words[i] == "--steps") {
      options.steps = std::stoll(words[i + 1]);
    } else if (words[i] == "--batches") {
      options.batches = words[i + 1];
    } else {
      throw Error(ErrorCode::kUsage, "unknown option '" + words[i] + "'");
    }
  }
  return options;
}

void WriteBatches(const PreparedData& data, const TrainingOptions& training,
                  const std::string& path) {
  Rng rng(0, 0, "batches");
  SafeTensors file;
  std::int64_t i = 0;
  for (const Batch& batch :
       EpochBatches(data.train, training.batch_size, rng)) {
    if (i == training.steps) break;
    const std::string number = std::to_string(i++);
    const auto rows = static_cast<std::int64_t>(batch.rows.size());
    if (data.shape.topology == Topology::kDecoder) {
      const DecoderBatch made = GatherDecoderBatch(data.train, batch, 0, 0);
      file.tensors["input." + number] =
          Stored(DType::kI64, {rows, made.tokens}, made.input);
      file.tensors["labels." + number] =
          Stored(DType::kI64, {rows, made.tokens}, made.labels);
      continue;
    }
    std::vector<std::int64_t> labels;
    for (const std::int64_t row : batch.rows) {
      labels.push_back(data.train.labels[static_cast<std::size_t>(row)]);
    }
    file.tensors["input." + number] = Stored(DType::kI64, {rows, batch.tokens},
                                             GatherTokens(data.train, batch));
    file.tensors["labels." + number] = Stored(DType::kI64, {rows}, labels);
  }
  WriteSafeTensors(path, file);
}

Json Train(const PreparedData& data, const Architecture& architecture,
           const TrainingOptions& training, std::int64_t workers) {
  std::vector<std::optional<TrainingResult>> results(
      static_cast<std::size_t>(workers));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < results.size(); ++i) {
      threads.emplace_back([&, i] {
        TrainingJob job;
        job.architecture = architecture;
        job.task = data.shape;
        job.data = &data.train;
        job.seed = i;
        auto result = TrainNetwork(job, training);
        if (auto* trained = std::get_if<TrainingResult>(&result)) {
          results[i] = std::move(*trained);
        }
      });
    }
  }
  Json rates = Json::array();
  for (const auto& result : results) {
    if (!result) throw Error(ErrorCode::kInternal, "training diverged");
    rates.push_back(result->tokens_per_second);
  }
  return {{"tokens_per_second", rates},
          {"final_loss", results[0]->final_loss},
          {"parameters", CostOf(architecture, data.shape, 1, 1).parameters}};
}

int Main(const std::vector<std::string>& words) {
  const Options options = Parse(words);
  const SearchSpec spec = ReadSearchSpec(options.spec, {});
  InitializeTorch();
  const PreparedData data = PrepareData(spec.task, {});
  TrainingOptions training = spec.training;
  training.steps = options.steps;
  if (options.batches) {
    WriteBatches(data, training, *options.batches);
    return 0;
  }
  const Architecture architecture = ArchitectureFromJson(
      Json::parse(ReadFile(options.architecture)), options.architecture);
  std::cout << Train(data, architecture, training, options.workers).dump()
            << "\n";
  return 0;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  return hone::RunBenchmark("training_throughput", hone::Main, argc, argv);
}
