#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "eval/engine/engine.h"
#include "train/data/task.h"

namespace hone {

// Sees the logits of a batch, row major [B, classes] or [B, T, vocabulary].
using BatchLogits =
    std::function<void(const Batch& batch, std::span<const float> logits)>;

// The files of one network in an engine, whatever their topology. Not
// thread-safe.
class ExportedNetwork {
 public:
  // Throws as Engine::Load.
  ExportedNetwork(Engine& engine, const std::filesystem::path& folder,
                  const TaskShape& task, const EngineOptions& options);

  // Logits of all rows in OrderedBatches; a decoder is given what it should
  // have written so far.
  void ForEachLogits(const TaskData& data, std::int64_t batch_size,
                     const BatchLogits& visit);
  // All of them, flat, in that order.
  std::vector<float> FlatLogits(const TaskData& data, std::int64_t batch_size);

  // The one of an encoder, or of a decoder; Requires: that topology.
  EngineModel& model() { return *model_; }
  EngineDecoder& decoder() { return *decoder_; }
  std::vector<KernelCount> Kernels() const;
  std::int64_t MemoryBytes() const;

 private:
  TaskShape task_;
  std::unique_ptr<EngineModel> model_;
  std::unique_ptr<EngineDecoder> decoder_;
};

// How translations are written.
struct TranslationOptions {
  std::int64_t beam = 1;
  double length_penalty = 1;
  std::int64_t batch = 64;
};

// The texts that a model writes for sources, by beam search.
std::vector<std::string> Translate(
    StepModel& model, const std::vector<std::vector<std::int64_t>>& sources,
    const TaskShape& task, const Vocabulary& vocabulary,
    const TranslationOptions& options);

}  // namespace hone
