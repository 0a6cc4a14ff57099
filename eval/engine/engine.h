#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eval/measurement.h"

namespace hone {

// How an engine loads a model.
struct EngineOptions {
  std::int64_t threads = 1;
  // Fixed shape to compile for, as latency is measured; 0: dynamic.
  std::int64_t batch = 0;
  std::int64_t tokens = 0;
};

// An exported model, loaded for inference. Not thread-safe.
class EngineModel {
 public:
  virtual ~EngineModel() = default;
  // tokens: row major [batch, length]. Returns row major [batch, classes].
  virtual std::vector<float> Run(const std::vector<std::int64_t>& tokens,
                                 std::int64_t batch, std::int64_t length) = 0;
  // What really runs, from the engine's own model of the graph.
  virtual std::vector<KernelCount> Kernels() const = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  // "openvino" and its version, threads policy and so on, name -> value.
  virtual std::map<std::string, std::string> Describe() const = 0;
  // Throws Error{kUsage} when the file cannot be loaded, with the engine's words.
  virtual std::unique_ptr<EngineModel> Load(
      const std::filesystem::path& onnx_file,
      const EngineOptions& options) = 0;
};

// OpenVINO on the CPU: f32 stays f32 (inference_precision is set), the number of
// threads and streams is fixed, latency hint.
std::unique_ptr<Engine> MakeOpenVinoEngine();

}  // namespace hone
