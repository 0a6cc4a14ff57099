#include <algorithm>
#include <utility>

#include "eval/engine/cpu.h"
#include "eval/engine/engine.h"
#include "eval/engine/onnxruntime_decoder.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"

namespace hone {
namespace {

class OnnxRuntimeModel : public EngineModel {
 public:
  OnnxRuntimeModel(const OnnxRuntimeOptions& runtime, std::string file,
                   const EngineOptions& options)
      : file_(std::move(file)), options_(options), session_(runtime) {
    const LoadedGraph graph = session_.Load(file_, options);
    if (graph.inputs.size() != 1 || graph.outputs.size() != 1 ||
        graph.inputs[0].sizes.size() < 2) {
      throw Error(ErrorCode::kUsage,
                  file_ +
                      ": not an encoder: it must have one input [batch, "
                      "tokens, ...] and one output");
    }
    input_ = graph.inputs[0];
    output_ = graph.outputs[0].name;
    max_tokens_ = MaxTokensOf(graph);
    const std::int64_t batch = std::max<std::int64_t>(options.batch, 1);
    const std::int64_t tokens = options.tokens > 0
                                    ? options.tokens
                                    : std::min<std::int64_t>(2, max_tokens_);
    const auto numbers = static_cast<std::size_t>(batch * tokens * Width());
    if (TakesTokens()) {
      Run(std::vector<std::int64_t>(numbers, 0), batch, tokens);
    } else {
      Run(std::vector<float>(numbers, 0), batch, tokens);
    }
    memory_bytes_ = session_.MemoryBytes(file_);
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
    return session_.Run(file_, {InputOf(given, batch, length)}, {{output_, {}}})
        .numbers;
  }

  std::vector<KernelCount> Kernels() const override {
    return session_.Kernels(file_);
  }
  std::int64_t MemoryBytes() const override { return memory_bytes_; }
  double ClockMs() const override { return session_.ClockMs(); }

 private:
  bool TakesTokens() const { return input_.sizes.size() == 2; }
  // Numbers of one place of a sequence.
  std::int64_t Width() const { return TakesTokens() ? 1 : input_.sizes[2]; }

  RunInput InputOf(const ModelInput& given, std::int64_t batch,
                   std::int64_t length) const {
    const auto count = static_cast<std::size_t>(batch * length * Width());
    if (const auto* tokens = std::get_if<std::vector<std::int64_t>>(&given)) {
      HONE_CHECK(TakesTokens());
      HONE_CHECK_EQ(tokens->size(), count);
      return Int64Input(input_.name, *tokens, {batch, length});
    }
    const auto& features = std::get<std::vector<float>>(given);
    HONE_CHECK(!TakesTokens());
    HONE_CHECK_EQ(features.size(), count);
    return FloatInput(input_.name, features, {batch, length, Width()});
  }

  std::string file_;
  EngineOptions options_;
  // Asking the worker leaves the model as it is.
  mutable OnnxRuntimeSession session_;
  GraphValue input_;
  std::string output_;
  std::int64_t max_tokens_ = 0;
  std::int64_t memory_bytes_ = 0;
};

class OnnxRuntimeEngine : public Engine {
 public:
  explicit OnnxRuntimeEngine(const OnnxRuntimeOptions& options)
      : options_(options), version_(OnnxRuntimeSession(options).version()) {}

  std::map<std::string, std::string> Describe() const override {
    auto facts = DescribeCpu();
    facts["engine"] = "onnxruntime";
    facts["engine_version"] = version_;
    return facts;
  }

  std::unique_ptr<EngineModel> Load(const std::filesystem::path& onnx_file,
                                    const EngineOptions& options) override {
    return std::make_unique<OnnxRuntimeModel>(options_, onnx_file.string(),
                                              options);
  }

  std::unique_ptr<EngineDecoder> LoadDecoder(
      const std::filesystem::path& folder,
      const EngineOptions& options) override {
    return LoadOnnxRuntimeDecoder(options_, folder, options);
  }

 private:
  OnnxRuntimeOptions options_;
  std::string version_;
};

}  // namespace

std::unique_ptr<Engine> MakeOnnxRuntimeEngine(
    const OnnxRuntimeOptions& options) {
  return std::make_unique<OnnxRuntimeEngine>(options);
}

}  // namespace hone
