#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "eval/artifact_store.h"
#include "eval/engine/engine.h"
#include "eval/evaluator.h"
#include "eval/latency.h"
#include "space/search_space.h"
#include "train/compress/quantize.h"
#include "train/compress/shrink.h"
#include "train/data/task.h"
#include "train/distill/distillation.h"
#include "train/distill/teacher_options.h"
#include "train/supernet_options.h"
#include "train/trainer.h"

namespace hone {

// How the weights that candidates inherit are made.
struct SupernetPlan {
  SearchSpace space;
  SupernetOptions options;
  TrainingOptions training;
  std::uint64_t start_seed = 0;  // of the largest student, where it begins
};

// In a measurement's environment: PreparedData::content_hash.
inline constexpr char kDataKey[] = "data";

// What the evaluator of trained students needs to know.
struct TrainedEvaluatorOptions {
  std::uint64_t study_seed = 0;
  TaskShape task;
  TeacherOptions teacher;
  TrainingOptions teacher_training;
  TrainingOptions training;
  DistillationOptions distillation;
  CompressionOptions compression;
  // In its place for candidates that name their parent.
  std::optional<CompressionOptions> parent_compression;
  // With compression.from_largest: what students are cut out of.
  std::optional<Candidate> largest;
  // Needed by candidates of fidelity `inherited`; others begin with its weights
  // where its options say so.
  std::optional<SupernetPlan> supernet;
  std::int64_t short_steps = 300;  // of fidelity `short`
  QuantizationOptions quantization;
  MeasurementOptions measurement;
  std::filesystem::path artifacts;    // where stages file their results
  std::filesystem::path lock_folder;  // shared by all of the machine's studies
  int workers = 1;                    // students that train side by side
  ProgressCallback progress;
  const std::atomic<bool>* cancelled = nullptr;
};

// A chain of pure stages: teacher -> supernet -> student -> quantized ->
// model.onnx -> measurement. Each result is filed under the hash of its inputs
// and made once; architectures that differ in precision alone share one
// student. Both quality and latency come from running the exported file.
class TrainedEvaluator : public Evaluator {
 public:
  // `data` and the engines must outlive the evaluator. Each candidate is
  // measured in all engines that run it, in turn within the same rounds, and
  // its numbers are those of the fastest, quality included; latency_ratio is to
  // the reference model in the first engine. No engine is the simulated one:
  // quality then comes from the eager interpreter with the quantized weights
  // and latency from the cost model.
  TrainedEvaluator(const TrainedEvaluatorOptions& options,
                   const PreparedData& data, std::vector<Engine*> engines);
  // One engine, or null for the simulated one.
  TrainedEvaluator(const TrainedEvaluatorOptions& options,
                   const PreparedData& data, Engine* engine);
  ~TrainedEvaluator() override;

  // First trains the teacher and the supernet, where they are not filed yet.
  // Files of candidates of fidelity `inherited` are measured and not kept.
  // Failures: "diverged", "parity" (exported and reference logits disagree),
  // "engine" (the file does not load or run); of the first engine, where all
  // fail.
  std::vector<Outcome> Evaluate(const std::vector<Candidate>& batch) override;
  // Of the student that the candidate would share, trained where it is not
  // filed. Empty when training fails.
  std::vector<std::vector<double>> PrecisionErrors(
      const Candidate& candidate,
      const std::vector<Precision>& precisions) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
