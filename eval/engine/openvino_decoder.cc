#include "eval/engine/openvino_decoder.h"

#include <algorithm>
#include <utility>

#include "eval/engine/openvino_tensors.h"
#include "eval/engine/step_decoder.h"
#include "eval/export/onnx_export.h"

namespace hone {
namespace {

Sizes SizesOf(const ov::Shape& shape) { return {shape.begin(), shape.end()}; }

ov::Shape ShapeOf(const Sizes& sizes) { return {sizes.begin(), sizes.end()}; }

class OpenVinoTensor : public DecoderTensor {
 public:
  explicit OpenVinoTensor(ov::Tensor tensor)
      : DecoderTensor(SizesOf(tensor.get_shape())),
        tensor_(std::move(tensor)) {}
  const ov::Tensor& tensor() const { return tensor_; }

 private:
  ov::Tensor tensor_;
};

TensorRef Kept(ov::Tensor tensor) {
  return std::make_shared<OpenVinoTensor>(std::move(tensor));
}

const ov::Tensor& TensorOf(const TensorRef& tensor) {
  return static_cast<const OpenVinoTensor&>(*tensor).tensor();
}

// The engine only reads its inputs.
template <typename Value>
ov::Tensor InputOf(const std::vector<Value>& values, std::size_t rows) {
  return {ov::element::from<Value>(),
          {rows, values.size() / rows},
          const_cast<Value*>(values.data())};
}

// An output may carry names of the graph's inner values too.
std::string NameOf(const ov::Output<const ov::Node>& value) {
  for (const std::string& name : value.get_names()) {
    if (name.starts_with(kSourcePrefix)) return name;
  }
  return value.get_any_name();
}

GraphValue ValueOf(const std::string& name, const ov::PartialShape& shape) {
  GraphValue value{name, {}};
  for (const ov::Dimension& size : shape) {
    value.sizes.push_back(size.is_dynamic() ? -1 : size.get_length());
  }
  return value;
}

LoadedGraph GraphOf(const ov::Model& model) {
  LoadedGraph graph;
  for (const auto& input : model.inputs()) {
    graph.inputs.push_back(
        ValueOf(input.get_any_name(), input.get_partial_shape()));
  }
  for (const auto& output : model.outputs()) {
    const bool logits = output.get_names().contains(kLogitsOutput);
    graph.outputs.push_back(ValueOf(logits ? kLogitsOutput : NameOf(output),
                                    output.get_partial_shape()));
  }
  for (const char* key : {kMaxTokensKey, kSourceLayersKey, kReachKey}) {
    const std::string entry = EntryOf(model, key);
    if (!entry.empty()) graph.metadata[key] = entry;
  }
  return graph;
}

class OpenVinoRuntime : public DecoderRuntime {
 public:
  OpenVinoRuntime(ov::Core& core, const EngineOptions& options,
                  DecoderFiles& files)
      : file_(files.file),
        encoder_file_(files.encoder_file),
        heap_before_(HeapBytes()) {
    WithFileName(file_, "load", [&] {
      const auto model = core.read_model(file_);
      files.graph = GraphOf(*model);
      decoder_ = Compiled(core, model, file_, options);
      request_ = decoder_.create_infer_request();
    });
    if (!std::filesystem::exists(encoder_file_)) return;
    WithFileName(encoder_file_, "load", [&] {
      const auto model = core.read_model(encoder_file_);
      files.encoder = GraphOf(*model);
      encoder_ = Compiled(core, model, encoder_file_, options);
      encoder_request_ = encoder_.create_infer_request();
      encodes_ = true;
    });
  }

  TensorRef Zeros(const Sizes& sizes) override {
    return Kept(NewTensor(ShapeOf(sizes)));
  }
  TensorRef Rows(const TensorRef& tensor,
                 const std::vector<std::int64_t>& rows) override {
    return Kept(RowsOf(TensorOf(tensor), rows));
  }
  TensorRef Resized(const TensorRef& tensor, std::int64_t size,
                    std::int64_t pieces) override {
    return Kept(hone::Resized(TensorOf(tensor), static_cast<std::size_t>(size),
                              static_cast<std::size_t>(pieces)));
  }
  TensorRef CutFront(const TensorRef& tensor, std::int64_t count) override {
    return Kept(
        hone::CutFront(TensorOf(tensor), static_cast<std::size_t>(count)));
  }
  TensorRef Joined(const TensorRef& a, const TensorRef& b) override {
    return Kept(hone::Joined(TensorOf(a), TensorOf(b)));
  }

  TensorRefs Encode(const std::vector<std::int64_t>& tokens,
                    std::int64_t rows) override {
    return WithFileName(encoder_file_, "run", [&] {
      encoder_request_.set_input_tensor(
          InputOf(tokens, static_cast<std::size_t>(rows)));
      encoder_request_.infer();
      ++encoder_inferences_;
      TensorRefs made;
      for (const auto& output : encoder_.outputs()) {
        const ov::Tensor held = encoder_request_.get_tensor(output);
        ov::Tensor copy(ov::element::f32, held.get_shape());
        held.copy_to(copy);
        made[NameOf(output)] = Kept(std::move(copy));
      }
      return made;
    });
  }

  StepOutputs Step(const StepInputs& inputs) override {
    return WithFileName(file_, "run", [&] { return Infer(inputs); });
  }

  std::vector<KernelCount> Kernels() const override {
    std::vector<ov::CompiledModel> models = {decoder_};
    if (encodes_) models.push_back(encoder_);
    return KernelsOf(models);
  }
  std::int64_t MemoryBytes() const override {
    return std::max<std::int64_t>(HeapBytes() - heap_before_, 0);
  }
  std::vector<EngineNode> Nodes() const override {
    return WithFileName(file_, "profile", [&] {
      auto nodes = NodesOf(kModelFile, decoder_, request_, inferences_);
      if (!encodes_) return nodes;
      const auto encoder = NodesOf(kEncoderFile, encoder_, encoder_request_,
                                   encoder_inferences_);
      nodes.insert(nodes.end(), encoder.begin(), encoder.end());
      return nodes;
    });
  }

 private:
  StepOutputs Infer(const StepInputs& inputs) {
    const auto rows = static_cast<std::size_t>(inputs.rows);
    for (const auto& [name, values] : inputs.numbers) {
      request_.set_tensor(name, InputOf(*values, rows));
    }
    for (const auto& [name, values] : inputs.masks) {
      request_.set_tensor(name, InputOf(*values, rows));
    }
    for (const auto& [name, tensor] : inputs.tensors) {
      request_.set_tensor(name, TensorOf(tensor));
    }
    StepOutputs outputs;
    for (const auto& [name, sizes] : inputs.kept) {
      ov::Tensor tensor(ov::element::f32, ShapeOf(sizes));
      request_.set_tensor(name, tensor);
      outputs.kept[name] = Kept(std::move(tensor));
    }
    request_.infer();
    ++inferences_;
    outputs.logits = Floats(request_.get_tensor(kLogitsOutput));
    return outputs;
  }

  std::string file_;
  std::string encoder_file_;
  std::int64_t heap_before_;
  bool encodes_ = false;
  ov::CompiledModel decoder_;
  ov::CompiledModel encoder_;
  ov::InferRequest request_;
  ov::InferRequest encoder_request_;
  std::int64_t inferences_ = 0;
  std::int64_t encoder_inferences_ = 0;
};

}  // namespace

std::unique_ptr<EngineDecoder> LoadOpenVinoDecoder(
    ov::Core& core, const std::filesystem::path& folder,
    const EngineOptions& options) {
  DecoderFiles files{
      (folder / kModelFile).string(), {}, (folder / kEncoderFile).string(), {}};
  auto runtime = std::make_unique<OpenVinoRuntime>(core, options, files);
  return MakeStepDecoder(std::move(runtime), files);
}

}  // namespace hone
