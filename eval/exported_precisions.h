#pragma once

#include <optional>
#include <vector>

#include "eval/artifact_store.h"
#include "eval/engine/engine.h"
#include "eval/evaluator.h"
#include "eval/latency_timer.h"
#include "eval/trained_evaluator.h"
#include "train/data/task.h"

namespace hone {

// Finds out which precisions the files of candidates will have: those of a file
// that was made before, or with quantization.f32_where_faster what an engine
// multiplies fastest (eval/faster_layers.h), filed among the artifacts.
class ExportedPrecisions {
 public:
  // `engine`: null for the simulated one. References must outlive the object.
  ExportedPrecisions(const TrainedEvaluatorOptions& options,
                     const PreparedData& data, Engine* engine);

  // The candidates with those precisions. What the engine cannot load keeps its
  // own: it fails where its file is scored.
  // Throws Error{kCancelled} between two measurements.
  std::vector<Candidate> Of(std::vector<Candidate> batch);

 private:
  void LeaveInF32(const std::vector<Architecture*>& architectures);

  const TrainedEvaluatorOptions& options_;
  const PreparedData& data_;
  Engine* engine_;
  ArtifactStore store_;
  std::optional<LatencyTimer> timer_;
};

}  // namespace hone
