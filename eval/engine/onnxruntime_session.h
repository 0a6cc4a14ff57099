#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/engine/step_decoder.h"
#include "eval/engine/worker_process.h"

namespace hone {

// One worker process with ONNX Runtime, and what is loaded in it: what the
// engine's models and decoders share. Not thread-safe.

// Numbers that go along with a request, or a tensor that the worker holds.
struct RunInput {
  std::string name;
  std::string type;  // "i64", "f32"
  Sizes sizes;
  std::string_view bytes;
  std::optional<std::int64_t> held;
};
// What a run leaves in the worker under a number, or brings back.
struct RunOutput {
  std::string name;
  std::optional<std::int64_t> held;
};
struct RunAnswer {
  std::vector<Sizes> sizes;    // of every output
  std::vector<float> numbers;  // of those brought back
};

RunInput Int64Input(const std::string& name,
                    const std::vector<std::int64_t>& values, Sizes sizes);
RunInput FloatInput(const std::string& name, const std::vector<float>& values,
                    Sizes sizes);

class OnnxRuntimeSession {
 public:
  // Throws Error{kNotFound} when there is no such Python or it lacks a package.
  explicit OnnxRuntimeSession(const OnnxRuntimeOptions& options);

  const std::string& version() const { return version_; }
  // Loads `file` under its path. Where the options fix a batch, inferences are
  // timed and each is made twice: the caches are cold after the wait for a
  // request, and the second is timed. The graph keeps its dynamic sizes all the
  // same: 1.32 turns products of a known size into Gemm before it looks for
  // quantized ones, and those then run in f32, up to seventeen times slower.
  // This and what follows throws Error{kUsage} naming the file, with ONNX
  // Runtime's words or how the worker ended.
  LoadedGraph Load(const std::string& file, const EngineOptions& options);
  RunAnswer Run(const std::string& file, const std::vector<RunInput>& inputs,
                const std::vector<RunOutput>& outputs);
  // Of the last run of the file.
  std::vector<KernelCount> Kernels(const std::string& file);
  // Growth of the worker's resident set since before the first file was loaded.
  std::int64_t MemoryBytes(const std::string& file);
  // Makes a tensor that is held under request["held"]; returns its shape.
  Sizes Make(const std::string& file, Json request);
  // A held tensor is forgotten with the next request.
  void Release(std::int64_t held) { released_.push_back(held); }
  // Time of all inferences so far, by the worker's clock.
  double ClockMs() const { return clock_ms_; }

 private:
  WorkerMessage Ask(const std::string& file, const char* action, Json request,
                    std::string body = {});

  WorkerProcess worker_;
  std::string version_;
  std::vector<std::int64_t> released_;
  double clock_ms_ = 0;
};

}  // namespace hone
