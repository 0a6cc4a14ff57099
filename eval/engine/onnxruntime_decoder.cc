#include "eval/engine/onnxruntime_decoder.h"

#include <tuple>
#include <utility>

#include "eval/export/onnx_export.h"
#include "space/base/error.h"

namespace hone {
namespace {

// A tensor that the worker holds under a number.
class HeldTensor : public DecoderTensor {
 public:
  HeldTensor(std::shared_ptr<OnnxRuntimeSession> session, std::int64_t number,
             Sizes sizes)
      : DecoderTensor(std::move(sizes)),
        session_(std::move(session)),
        number_(number) {}
  ~HeldTensor() override { session_->Release(number_); }
  std::int64_t number() const { return number_; }

 private:
  std::shared_ptr<OnnxRuntimeSession> session_;
  std::int64_t number_;
};

std::int64_t NumberOf(const TensorRef& tensor) {
  return static_cast<const HeldTensor&>(*tensor).number();
}

class OnnxRuntimeRuntime : public DecoderRuntime {
 public:
  OnnxRuntimeRuntime(const OnnxRuntimeOptions& runtime,
                     const EngineOptions& options, DecoderFiles& files)
      : session_(std::make_shared<OnnxRuntimeSession>(runtime)),
        file_(files.file),
        encoder_file_(files.encoder_file),
        encodes_(std::filesystem::exists(encoder_file_)) {
    files.graph = session_->Load(file_, options);
    if (encodes_) files.encoder = session_->Load(encoder_file_, options);
    encoder_graph_ = files.encoder;
  }

  TensorRef Zeros(const Sizes& sizes) override {
    return Make({{"do", "zeros"}, {"shape", sizes}});
  }
  TensorRef Rows(const TensorRef& tensor,
                 const std::vector<std::int64_t>& rows) override {
    return Make({{"do", "rows"}, {"of", {NumberOf(tensor)}}, {"rows", rows}});
  }
  TensorRef Resized(const TensorRef& tensor, std::int64_t size,
                    std::int64_t pieces) override {
    return Make({{"do", "resized"},
                 {"of", {NumberOf(tensor)}},
                 {"size", size},
                 {"pieces", pieces}});
  }
  TensorRef CutFront(const TensorRef& tensor, std::int64_t count) override {
    return Make(
        {{"do", "cut_front"}, {"of", {NumberOf(tensor)}}, {"count", count}});
  }
  TensorRef Joined(const TensorRef& a, const TensorRef& b) override {
    return Make({{"do", "joined"}, {"of", {NumberOf(a), NumberOf(b)}}});
  }

  TensorRefs Encode(const std::vector<std::int64_t>& tokens,
                    std::int64_t rows) override {
    std::vector<RunOutput> outputs;
    for (const GraphValue& output : encoder_graph_.outputs) {
      outputs.push_back({output.name, NextNumber()});
    }
    const RunAnswer answer = session_->Run(
        encoder_file_,
        {Int64Input(kTokensInput, tokens, {rows, std::ssize(tokens) / rows})},
        outputs);
    return Keep(outputs, answer, 0);
  }

  StepOutputs Step(const StepInputs& inputs) override {
    const auto sizes = [&](const auto& values) {
      return Sizes{inputs.rows, std::ssize(values) / inputs.rows};
    };
    std::vector<RunInput> given;
    for (const auto& [name, values] : inputs.numbers) {
      given.push_back(Int64Input(name, *values, sizes(*values)));
    }
    for (const auto& [name, values] : inputs.masks) {
      given.push_back(FloatInput(name, *values, sizes(*values)));
    }
    for (const auto& [name, tensor] : inputs.tensors) {
      given.push_back({name, "f32", {}, {}, NumberOf(tensor)});
    }
    std::vector<RunOutput> outputs = {{kLogitsOutput, {}}};
    for (const auto& [name, expected] : inputs.kept) {
      outputs.push_back({name, NextNumber()});
    }
    RunAnswer answer = session_->Run(file_, given, outputs);
    return {std::move(answer.numbers), Keep(outputs, answer, 1)};
  }

  std::vector<KernelCount> Kernels() const override {
    std::map<std::tuple<std::string, std::string, std::string>, std::int64_t>
        counts;
    std::vector<std::string> files = {file_};
    if (encodes_) files.push_back(encoder_file_);
    for (const std::string& file : files) {
      for (const KernelCount& kernel : session_->Kernels(file)) {
        counts[{kernel.layer, kernel.primitive, kernel.precision}] +=
            kernel.count;
      }
    }
    std::vector<KernelCount> kernels;
    for (const auto& [key, count] : counts) {
      kernels.push_back(
          {std::get<0>(key), std::get<1>(key), std::get<2>(key), count});
    }
    return kernels;
  }
  std::int64_t MemoryBytes() const override {
    return session_->MemoryBytes(file_);
  }
  double ClockMs() const override { return session_->ClockMs(); }

 private:
  std::int64_t NextNumber() { return next_number_++; }

  TensorRef Make(Json request) {
    const std::int64_t number = NextNumber();
    request["held"] = number;
    Sizes sizes = session_->Make(file_, std::move(request));
    return std::make_shared<HeldTensor>(session_, number, std::move(sizes));
  }

  // The outputs from `first` on, which the worker holds.
  TensorRefs Keep(const std::vector<RunOutput>& outputs,
                  const RunAnswer& answer, std::size_t first) const {
    TensorRefs kept;
    for (std::size_t i = first; i < outputs.size(); ++i) {
      kept[outputs[i].name] = std::make_shared<HeldTensor>(
          session_, *outputs[i].held, answer.sizes.at(i));
    }
    return kept;
  }

  std::shared_ptr<OnnxRuntimeSession> session_;
  std::string file_;
  std::string encoder_file_;
  bool encodes_;
  LoadedGraph encoder_graph_;
  std::int64_t next_number_ = 0;
};

}  // namespace

std::unique_ptr<EngineDecoder> LoadOnnxRuntimeDecoder(
    const OnnxRuntimeOptions& runtime, const std::filesystem::path& folder,
    const EngineOptions& options) {
  DecoderFiles files{
      (folder / kModelFile).string(), {}, (folder / kEncoderFile).string(), {}};
  auto graphs = std::make_unique<OnnxRuntimeRuntime>(runtime, options, files);
  return MakeStepDecoder(std::move(graphs), files);
}

}  // namespace hone
