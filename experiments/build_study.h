#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eval/engine/engine.h"
#include "eval/evaluator.h"
#include "eval/trained_evaluator.h"
#include "experiments/search_spec.h"
#include "search/search_algorithm.h"
#include "search/trial.h"
#include "space/search_space.h"
#include "train/data/task.h"

namespace hone {

// Owns everything a run needs, built from a spec. The only place where names
// become objects.
class Workbench {
 public:
  // Loads the task's data, unless the fidelity is `cost`: then nothing is read
  // but a vocabulary's file, and other vocabularies have the spec's size.
  // `artifacts`: where stages file their results; `workers`: students that
  // train side by side. Throws as PrepareData and SearchSpace do.
  Workbench(const SearchSpec& spec, const std::filesystem::path& artifacts,
            int workers, ProgressCallback progress,
            const std::atomic<bool>* cancelled);

  const SearchSpace& space() const { return *space_; }
  const TaskShape& task() const { return task_; }
  // As in the spec, but images and sounds are measured at their own length.
  const MeasurementOptions& measurement() const { return spec_.measurement; }
  std::unique_ptr<SearchAlgorithm> MakeAlgorithm();
  // How candidates that name their parent are cut out of it, where it is not as
  // the spec says. Before the first call of evaluator().
  void SetParentCompression(const CompressionOptions& options) {
    parent_compression_ = options;
  }
  // Made on the first call; trains the teacher on the first Evaluate.
  Evaluator& evaluator();
  // Throws Error{kUsage} where the space has bf16 and no engine of the spec
  // computes in it on this machine. The simulated one needs none.
  void CheckCompute();
  // What stages of trials need beside their inputs (eval/stages.h).
  TrainedEvaluatorOptions StageOptions() const;
  // The space's largest architecture, as its trial trains it. Throws
  // Error{kUsage} when it breaks a constraint.
  Candidate LargestCandidate() const;
  // Requires: another fidelity than `cost`.
  const PreparedData& data() const;
  // The serialized vocabulary, for export; empty at fidelity `cost`.
  std::string Vocabulary() const;
  std::vector<std::string> Classes() const;
  PixelScale Pixels() const;
  std::int64_t SoundRate() const;  // 0 where there are no sounds
  // Throws Error{kUsage} where the trial was measured on other data than the
  // task has now.
  void CheckData(const Trial& trial) const;
  // 0 at fidelity `cost`.
  std::int64_t TrainingExamples() const;

 private:
  SearchSpec spec_;
  std::optional<CompressionOptions> parent_compression_;
  std::filesystem::path artifacts_;
  int workers_;
  ProgressCallback progress_;
  const std::atomic<bool>* cancelled_;
  std::optional<PreparedData> data_;
  TaskShape task_;
  std::unique_ptr<SearchSpace> space_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::unique_ptr<Evaluator> evaluator_;
};

// What tasks need from LibTorch.
TaskTools Tools();

// The engine that runs exported files, by the spec's name; null for
// `simulated`, and of `auto` the one that is always there. Throws
// Error{kNotFound} when it is not installed.
std::unique_ptr<Engine> MakeEngine(const std::string& name);
// All that a spec's name stands for: none for `simulated`; for `auto` those
// that are installed, and a message says which one is not.
std::vector<std::unique_ptr<Engine>> MakeEngines(const std::string& name);
// The name of the engine that a measured trial's numbers come from: `auto`
// leaves that to each trial.
std::string EngineOf(const MeasurementOptions& options, const Outcome& outcome);

// Whether a rung of the search inherits its weights.
bool UsesSupernet(const SearchSpec& spec);

// Says so, once, where this machine's CPU saturates 8-bit products of a search
// that has 8-bit activations and leaves their weights 8 bits.
void WarnOfSaturation(const SearchSpec& spec);

// Where the user's lock files on this machine are, below the system's folder
// for temporary files.
std::filesystem::path MachineLockFolder();

}  // namespace hone
