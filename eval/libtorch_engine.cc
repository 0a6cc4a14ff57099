#include "eval/libtorch_engine.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <torch/headeronly/version.h>

#include "eval/engine/cpu.h"
#include "eval/engine/file_compute.h"
#include "eval/export/onnx_export.h"
#include "eval/export/onnx_reader.h"
#include "eval/torch_operations.h"
#include "eval/torch_plan.h"
#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

constexpr std::int64_t kFirstTokens = 2;

// The number of threads that LibTorch's loops have, as long as it lives.
class ThreadsScope {
 public:
  explicit ThreadsScope(std::int64_t threads) : before_(at::get_num_threads()) {
    changed_ = before_ != threads;
    if (changed_) at::set_num_threads(static_cast<int>(threads));
  }
  ~ThreadsScope() {
    if (changed_) at::set_num_threads(before_);
  }
  ThreadsScope(const ThreadsScope&) = delete;
  ThreadsScope& operator=(const ThreadsScope&) = delete;

 private:
  int before_;
  bool changed_ = false;
};

// Runs `work` as LibTorch needs it, turning exceptions into ours.
template <typename Work>
auto Guarded(const std::string& file, std::int64_t threads, const char* action,
             Work work) {
  const auto refusal = [&](const char* why) {
    return Error(ErrorCode::kUsage,
                 file + ": LibTorch cannot " + action + " this model: " + why);
  };
  try {
    at::init_num_threads();
    const ThreadsScope scope(threads);
    const c10::InferenceMode mode;
    return work();
  } catch (const c10::Error& error) {
    throw refusal(error.what_without_backtrace());
  } catch (const Error& error) {
    throw refusal(error.what());
  }
}

class LibTorchModel : public EngineModel {
 public:
  LibTorchModel(std::string file, const EngineOptions& options)
      : file_(std::move(file)), options_(options) {
    const std::int64_t before = HeapBytes();
    Guarded(file_, options.threads, "load", [&] { Load(); });
    const std::int64_t batch = std::max<std::int64_t>(options.batch, 1);
    const std::int64_t tokens = options.tokens > 0
                                    ? options.tokens
                                    : std::min(kFirstTokens, max_tokens_);
    const auto numbers = static_cast<std::size_t>(batch * tokens * width_);
    ModelInput zeros = std::vector<std::int64_t>(numbers, 0);
    if (!takes_tokens_) zeros = std::vector<float>(numbers, 0);
    first_run_ = true;
    Run(zeros, batch, tokens);
    first_run_ = false;
    if (options.batch > 0 && options.tokens > 0) Place();
    memory_bytes_ = std::max<std::int64_t>(HeapBytes() - before, 0);
  }

  std::vector<float> Run(const ModelInput& given, std::int64_t batch,
                         std::int64_t length) override {
    HONE_CHECK(options_.batch == 0 || options_.batch == batch);
    HONE_CHECK(options_.tokens == 0 || options_.tokens == length);
    if (length > max_tokens_) {
      throw Error(ErrorCode::kUsage,
                  file_ + ": a sequence of " + std::to_string(length) +
                      " tokens is longer than the model's positions; use at "
                      "most " +
                      std::to_string(max_tokens_));
    }
    return Guarded(file_, options_.threads, "run", [&] {
      values_[input_] = InputTensor(given, batch, length);
      for (TorchStep& step : steps_) RunStep(step);
      const at::Tensor logits = values_[output_].contiguous();
      const auto* first = logits.const_data_ptr<float>();
      return std::vector<float>(first, first + logits.numel());
    });
  }

  std::vector<KernelCount> Kernels() const override {
    std::map<std::tuple<std::string, std::string, std::string>, std::int64_t>
        counts;
    for (const TorchStep& step : steps_) {
      ++counts[{step.node.layer, step.node.primitive, step.node.precision}];
    }
    std::vector<KernelCount> kernels;
    for (const auto& [kernel, count] : counts) {
      kernels.push_back({std::get<0>(kernel), std::get<1>(kernel),
                         std::get<2>(kernel), count});
    }
    return kernels;
  }

  std::int64_t MemoryBytes() const override { return memory_bytes_; }

  std::vector<EngineNode> Nodes() const override {
    std::vector<EngineNode> nodes;
    for (const TorchStep& step : steps_) nodes.push_back(step.node);
    return nodes;
  }

 private:
  void Load() {
    const ReadModel model = ReadOnnx(ReadFile(file_), file_);
    if (AsksForBf16(model.metadata, options_)) throw NoBf16(file_, "LibTorch");
    if (model.inputs.size() != 1 || model.outputs.size() != 1 ||
        model.inputs.begin()->second.dims.size() < 2) {
      throw Error(ErrorCode::kUsage,
                  "not an encoder: it must have one input [batch, tokens, ...] "
                  "and one output");
    }
    const ReadValue& input = model.inputs.begin()->second;
    takes_tokens_ = input.dims.size() == 2;
    if (!takes_tokens_) width_ = std::stoll(input.dims[2]);
    const auto most = model.metadata.find(kMaxTokensKey);
    if (most != model.metadata.end()) max_tokens_ = std::stoll(most->second);
    input_name_ = model.inputs.begin()->first;
    output_name_ = model.outputs.begin()->first;
    TorchPlan plan =
        PlanInTorch(model, std::filesystem::path(file_).filename().string());
    steps_ = std::move(plan.steps);
    known_ = std::move(plan.known);
    Place();
  }

  // Drops steps that nobody needs, and gives every value its place.
  void Place() {
    std::set<std::string> needed{output_name_};
    std::vector<TorchStep> kept;
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      if (known_.contains(step->output) || !needed.contains(step->output)) {
        continue;
      }
      needed.insert(step->inputs.begin(), step->inputs.end());
      kept.push_back(std::move(*step));
    }
    std::reverse(kept.begin(), kept.end());
    steps_ = std::move(kept);
    std::map<std::string, std::size_t> places;
    std::vector<at::Tensor> values;
    const auto place = [&](const std::string& value) {
      const auto [found, fresh] = places.emplace(value, values.size());
      if (fresh) {
        const auto constant = known_.find(value);
        values.push_back(constant == known_.end() ? at::Tensor()
                                                  : constant->second);
      }
      return found->second;
    };
    input_ = place(input_name_);
    for (TorchStep& step : steps_) {
      step.reads.clear();
      for (const std::string& input : step.inputs) {
        step.reads.push_back(place(input));
      }
      step.writes = place(step.output);
    }
    output_ = place(output_name_);
    values_ = std::move(values);
    FindLastReads();
    std::erase_if(known_,
                  [&](const auto& one) { return !places.contains(one.first); });
  }

  void FindLastReads() {
    std::set<std::size_t> later{output_, input_};
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      step->last_reads.clear();
      for (std::size_t i = 0; i < step->inputs.size(); ++i) {
        if (known_.contains(step->inputs[i])) continue;
        if (later.insert(step->reads[i]).second) {
          step->last_reads.push_back(step->reads[i]);
        }
      }
    }
  }

  void RunStep(TorchStep& step) {
    const double start = options_.profile ? SteadyMs() : 0;
    std::vector<at::Tensor> inputs;
    for (const std::size_t i : step.reads) inputs.push_back(values_[i]);
    at::Tensor result = step.run(inputs);
    if (first_run_) LearnFrom(inputs, result, step);
    values_[step.writes] = std::move(result);
    for (const std::size_t i : step.last_reads) values_[i].reset();
    if (options_.profile) {
      step.node.microseconds += 1e3 * (SteadyMs() - start);
    }
  }

  void LearnFrom(const std::vector<at::Tensor>& inputs,
                 const at::Tensor& result, TorchStep& step) {
    // Of a fixed shape, what depends on shapes alone is known from now on.
    if (step.of_shapes && options_.batch > 0 && options_.tokens > 0) {
      known_[step.output] = result;
    }
    if (!step.node.precision.empty()) return;
    step.node.precision = ElementName(result);
    for (const at::Tensor& input : inputs) {
      if (input.defined()) step.node.inputs.push_back(ElementName(input));
    }
    if (step.node.primitive == "at::linear") {
      step.node.inputs.push_back("f32");
    }
  }

  at::Tensor InputTensor(const ModelInput& given, std::int64_t batch,
                         std::int64_t length) const {
    const auto count = static_cast<std::size_t>(batch * length * width_);
    if (const auto* tokens = std::get_if<std::vector<std::int64_t>>(&given)) {
      HONE_CHECK(takes_tokens_);
      HONE_CHECK_EQ(tokens->size(), count);
      return at::from_blob(const_cast<std::int64_t*>(tokens->data()),
                           {batch, length}, at::kLong);
    }
    const auto& features = std::get<std::vector<float>>(given);
    HONE_CHECK(!takes_tokens_);
    HONE_CHECK_EQ(features.size(), count);
    return at::from_blob(const_cast<float*>(features.data()),
                         {batch, length, width_}, at::kFloat);
  }

  std::string file_;
  EngineOptions options_;
  std::string input_name_;
  std::string output_name_;
  bool takes_tokens_ = true;
  std::int64_t width_ = 1;  // numbers of one place of a sequence
  std::int64_t max_tokens_ = std::numeric_limits<std::int64_t>::max();
  std::vector<TorchStep> steps_;
  TorchValues known_;  // what steps read that is known before they run
  std::vector<at::Tensor> values_;
  std::size_t input_ = 0;
  std::size_t output_ = 0;
  bool first_run_ = false;
  std::int64_t memory_bytes_ = 0;
};

class LibTorchEngine : public Engine {
 public:
  std::map<std::string, std::string> Describe() const override {
    auto facts = DescribeCpu();
    facts["engine"] = "libtorch";
    facts["engine_version"] = TORCH_VERSION;
    return facts;
  }

  std::unique_ptr<EngineModel> Load(const std::filesystem::path& onnx_file,
                                    const EngineOptions& options) override {
    return std::make_unique<LibTorchModel>(onnx_file.string(), options);
  }

  std::unique_ptr<EngineDecoder> LoadDecoder(
      const std::filesystem::path& folder, const EngineOptions&) override {
    throw Error(ErrorCode::kUsage,
                folder.string() +
                    ": the engine libtorch runs encoders, and this is a "
                    "decoder; use openvino or onnxruntime");
  }
};

}  // namespace

std::unique_ptr<Engine> MakeLibTorchEngine() {
  return std::make_unique<LibTorchEngine>();
}

}  // namespace hone
