#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "eval/decode/step_model.h"
#include "eval/measurement.h"

namespace hone {

// How an engine loads a model.
struct EngineOptions {
  std::int64_t threads = 1;
  // Fixed shape to compile for, as latency is measured; 0: dynamic. An engine
  // in a process of its own makes each inference twice then and counts the
  // second: waiting for requests lets its caches go cold.
  std::int64_t batch = 0;
  std::int64_t tokens = 0;
  // Layers with low-bit weights and float activations may quantize those on the
  // fly, to 8 bits with one scale for this many inputs; 0: they stay in float,
  // which is what parity is compared in. Layers whose weights are in longer or
  // equal blocks follow; others stay in float.
  std::int64_t activation_group = 32;
  // A file that asks for bf16 (kComputeKey) computes in it, and an engine that
  // cannot refuses the file; false: in f32, which is what parity is compared
  // in.
  bool bf16 = true;
  // Nodes are timed as they run, which makes inferences slower: for Nodes(),
  // never for a latency.
  bool profile = false;
};

// One kernel of a loaded model, and what it has done since loading.
struct EngineNode {
  std::string file;  // of the model's folder: "model.onnx"
  // Values of the file that it computes, as the engine names them; its own name
  // is the first.
  std::vector<std::string> values;
  std::string layer;  // as in KernelCount
  std::string primitive;
  std::string precision;
  // Element types of what it reads, in order: an operand, a weight, ...
  std::vector<std::string> inputs;
  // 0 where it took less than the engine's clock counts: OpenVINO's counts
  // whole microseconds of each inference, and tells their rounded down mean.
  double microseconds = 0;
};

// What a network reads, row major: token numbers [batch, length], or vectors
// [batch, length, F].
using ModelInput = std::variant<std::vector<std::int64_t>, std::vector<float>>;

// An exported encoder, loaded for inference. Not thread-safe.
class EngineModel {
 public:
  virtual ~EngineModel() = default;
  // Returns row major [batch, classes].
  // Requires: the shape of the options where that is fixed.
  // Throws Error{kUsage} when the engine refuses the input, or length is above
  // the file's max_tokens (onnx_export.h).
  virtual std::vector<float> Run(const ModelInput& input, std::int64_t batch,
                                 std::int64_t length) = 0;
  // What really runs, from the engine's own model of the graph, in the order of
  // (layer, primitive, precision). Constants, inputs and outputs are left out.
  virtual std::vector<KernelCount> Kernels() const = 0;
  // Bytes that the loaded model holds: the growth of the process's heap in use
  // (glibc mallinfo2) over loading and one inference of the fixed shape (1 x 2
  // where dynamic). It counts weights in the engine's layout, the arena of
  // activations and the compiled graph; not the engine's code, its generated
  // kernels, or what loading needed for a moment. The first model of its
  // precision in a process also pays for what the engine sets up once (1 to 2
  // MB), and other threads that allocate meanwhile are counted in. 0 where the
  // C library does not tell. An engine in a process of its own counts the
  // growth of that process's resident set instead, in whole pages.
  virtual std::int64_t MemoryBytes() const = 0;
  // Every node that an inference runs, in the engine's order, without what was
  // computed once at loading; empty where the engine does not tell. Requires: a
  // model loaded with `profile`.
  virtual std::vector<EngineNode> Nodes() const { return {}; }
  // As StepModel's.
  virtual double ClockMs() const { return SteadyMs(); }
};

// An exported decoder, with its encoder if it has one. Its shapes are dynamic.
// Not thread-safe.
class EngineDecoder : public StepModel {
 public:
  // As those of EngineModel, of decoder and encoder together.
  virtual std::vector<KernelCount> Kernels() const = 0;
  virtual std::int64_t MemoryBytes() const = 0;
  virtual std::vector<EngineNode> Nodes() const { return {}; }
};

// Thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;
  // name -> value: engine and version, the CPU and its flags (DescribeCpu).
  virtual std::map<std::string, std::string> Describe() const = 0;
  // Whether it does on this CPU.
  virtual bool ComputesInBf16() const { return false; }
  // Throws Error{kUsage} when the file cannot be loaded, with the engine's
  // words, or asks for bf16 in vain.
  virtual std::unique_ptr<EngineModel> Load(
      const std::filesystem::path& onnx_file, const EngineOptions& options) = 0;
  // The decoder that a folder's files make (onnx_export.h); a fixed shape of
  // the options is ignored. Throws as Load.
  virtual std::unique_ptr<EngineDecoder> LoadDecoder(
      const std::filesystem::path& folder, const EngineOptions& options) = 0;
};

// OpenVINO on the CPU: f32 stays f32 (inference_precision is set, to bf16 for
// files that ask for it, where the CPU has avx512_bf16 or amx_bf16), the number
// of threads is fixed, one stream, latency hint, no pinning of threads to
// cores, no cache of compiled models.
std::unique_ptr<Engine> MakeOpenVinoEngine();

// Where ONNX Runtime is found.
struct OnnxRuntimeOptions {
  std::string python = "python3";  // 3.10 or later; looked up as a shell does
  // Folder with the packages onnxruntime and numpy (pip --target); empty: they
  // are Python's own.
  std::filesystem::path packages;
  // For each answer of a worker, loading included.
  double time_limit_seconds = 600;
};

// ONNX Runtime on the CPU, in a worker process for each loaded model that a
// Python runs: its C++ headers are not packaged. f32 stays f32, the number of
// threads is fixed, one stream, all graph optimizations. The worker times
// inferences itself (ClockMs), inputs and outputs bound before, so that no time
// holds the way between the processes. Kernels are the operations of the
// optimized graph with their domain ("ai.onnx", "com.microsoft") as primitive,
// from a profile of one inference. Throws Error{kNotFound} when there is no
// such Python or it lacks a package. A worker that dies or hangs is an
// Error{kUsage} of the model, as are other refusals.
std::unique_ptr<Engine> MakeOnnxRuntimeEngine(
    const OnnxRuntimeOptions& options);

}  // namespace hone
