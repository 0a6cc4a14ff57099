#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eval/engine/engine.h"

namespace hone {

// The steps of an exported decoder (onnx_export.h), whoever runs its graphs.

using Sizes = std::vector<std::int64_t>;

// An input or output of a graph; -1: a dynamic size.
struct GraphValue {
  std::string name;
  Sizes sizes;
};
struct LoadedGraph {
  std::vector<GraphValue> inputs;
  std::vector<GraphValue> outputs;
  std::map<std::string, std::string> metadata;
};
// The file's max_tokens; the largest number where it has no such limit.
std::int64_t MaxTokensOf(const LoadedGraph& graph);

// f32 numbers that a decoder remembers, where its engine keeps them. Never
// written after they are made, so a copy of the pointer is a snapshot.
class DecoderTensor {
 public:
  explicit DecoderTensor(Sizes sizes) : sizes_(std::move(sizes)) {}
  DecoderTensor(const DecoderTensor&) = delete;
  DecoderTensor& operator=(const DecoderTensor&) = delete;
  virtual ~DecoderTensor() = default;
  const Sizes& sizes() const { return sizes_; }

 private:
  Sizes sizes_;
};
using TensorRef = std::shared_ptr<const DecoderTensor>;
using TensorRefs = std::map<std::string, TensorRef>;

// Makes tensors of its own kind from each other.
class TensorKeeper {
 public:
  virtual ~TensorKeeper() = default;
  virtual TensorRef Zeros(const Sizes& sizes) = 0;
  // Rows of the first axis, in this order.
  virtual TensorRef Rows(const TensorRef& tensor,
                         const std::vector<std::int64_t>& rows) = 0;
  // The axis before the last is made of `pieces` parts: cuts or zero-pads each
  // of them to `size`.
  virtual TensorRef Resized(const TensorRef& tensor, std::int64_t size,
                            std::int64_t pieces) = 0;
  // Without the first `count` of the third axis.
  virtual TensorRef CutFront(const TensorRef& tensor, std::int64_t count) = 0;
  // b's rows of the first axis behind a's.
  virtual TensorRef Joined(const TensorRef& a, const TensorRef& b) = 0;
};

// What one step of the decoder's graph reads and leaves.
struct StepInputs {
  std::int64_t rows = 0;
  // Row major [rows, ...], by input name; those that the graph has.
  std::map<std::string, const std::vector<std::int64_t>*> numbers;
  std::map<std::string, const std::vector<float>*> masks;
  TensorRefs tensors;
  // Outputs that are to be kept, with the sizes that they will have.
  std::map<std::string, Sizes> kept;
};
struct StepOutputs {
  std::vector<float> logits;
  TensorRefs kept;
};

// The graphs of one decoder in an engine. Not thread-safe. Throws Error{kUsage}
// with the name of the file.
class DecoderRuntime : public TensorKeeper {
 public:
  // The "source.*" of sources of one length, row major [rows, length].
  virtual TensorRefs Encode(const std::vector<std::int64_t>& tokens,
                            std::int64_t rows) = 0;
  virtual StepOutputs Step(const StepInputs& inputs) = 0;
  // As those of EngineDecoder; memory counts from before the files were loaded.
  virtual std::vector<KernelCount> Kernels() const = 0;
  virtual std::int64_t MemoryBytes() const = 0;
  virtual double ClockMs() const { return SteadyMs(); }
  virtual std::vector<EngineNode> Nodes() const { return {}; }
};

// The files of a decoder as they were loaded.
struct DecoderFiles {
  std::string file;
  LoadedGraph graph;
  std::string encoder_file;
  LoadedGraph encoder;  // without inputs: there is none
};

// Runs two tokens first: OpenVINO's dynamic graphs need it
// (openvino_engine.cc).
std::unique_ptr<EngineDecoder> MakeStepDecoder(
    std::unique_ptr<DecoderRuntime> runtime, const DecoderFiles& files);

}  // namespace hone
