#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "eval/trained_evaluator.h"

namespace hone {

// Files of the stages that others look for.
inline constexpr char kStudentFile[] = "student.safetensors";
inline constexpr char kSupernetFile[] = "supernet.safetensors";
inline constexpr char kQuantizedFile[] = "quantized.safetensors";

// The stages of a trial as functions of their inputs. Each looks its result up
// in the artifact store before it makes it. Thread-safe.
class Stages {
 public:
  Stages(const TrainedEvaluatorOptions& options, const PreparedData& data);

  // `fraction` of the stage that is done, now and then.
  using OnProgress = std::function<void(double fraction)>;

  // teacher.safetensors, of an ensemble teacher-2.safetensors and so on, and of
  // a classification logits.safetensors on the training split. Of a BERT its
  // weights with a classifier that was trained on its features, which are filed
  // too (features.safetensors).
  // Throws Error{kUsage} when the teacher diverges or a BERT reads other tokens
  // than the task's, Error{kIntegrity} when a checkpoint does not fit its
  // architecture.
  StageResult TeacherFiles(const OnProgress& on_progress) const;
  // With a translator's likeliest tokens, where distillation.top_k asks for
  // them: a stage of their own, so that a teacher serves every top_k.
  Teacher LoadTeacher(const StageResult& files) const;

  // What students learn from and begin with; nothing where there is none.
  struct Sources {
    std::optional<Teacher> teacher;
    StageResult teacher_files;
    std::optional<StageResult> supernet;
    // Whom students that begin with the supernet learn from.
    std::optional<Teacher> warm_teacher;
  };
  // supernet.safetensors: weights for the whole space of options.supernet.
  // First the largest student is trained like any other, and with
  // supernet.sort_channels its channels are put in order of importance.
  std::variant<StageResult, Failure> Supernet(
      const Sources& sources, const OnProgress& on_progress) const;
  // The teacher together with the supernet's largest network, of a
  // classification; else the teacher.
  std::optional<Teacher> WarmTeacher(const Sources& sources) const;
  // student.safetensors, cut out of the supernet.
  StageResult Inherited(const Architecture& architecture,
                        const StageResult& supernet) const;
  // student.safetensors in f32, trained for so many steps. `architecture`
  // without precision.
  std::variant<StageResult, Failure> Student(
      const Architecture& architecture, std::uint64_t seed, std::int64_t steps,
      const Sources& sources, const OnProgress& on_progress) const;
  // student.safetensors of a candidate with a parent, cut out of the parent's
  // student and trained on with that as its guide, in the rounds of the
  // options; each is filed, so that an interruption costs one at most.
  // Precisions are ignored. Throws Error{kUsage} when one cannot be cut out of
  // the other.
  std::variant<StageResult, Failure> Shrunk(
      const Candidate& candidate, const StageResult& parent_files,
      const CompressionOptions& options, const OnProgress& on_progress) const;
  // PrecisionErrors (train/compress/precision_errors.h) of a student on
  // compression.examples of the training split.
  std::vector<std::vector<double>> PrecisionErrorsOf(
      const Architecture& architecture, const StageResult& student,
      const std::vector<Precision>& precisions) const;
  // quantized.safetensors of a candidate; of fidelity `trained` with
  // quantization.qat_steps trained on as it is rounded, seeded by the student's
  // seed.
  std::variant<StageResult, Failure> Quantized(
      const Candidate& candidate, const StageResult& student,
      const Sources& sources, const OnProgress& on_progress) const;
  // model.onnx, and encoder.onnx of an encoder-decoder. Their metadata name the
  // layers that were left in f32 (eval/faster_layers.h).
  StageResult Exported(const Architecture& architecture,
                       const StageResult& quantized,
                       const std::vector<std::string>& left_in_f32) const;
  // Removes the files of a result.
  void Forget(const StageResult& result) const { store_.Remove(result); }
  // The f32 model with initial weights whose latency is the unit of
  // latency_ratio: d 128, 2 blocks, 4 heads, FFN 256, in every study of a task.
  StageResult Reference() const;

 private:
  TrainingResult TrainTeacher(const OnProgress& on_progress) const;
  // What the largest architecture begins with in the supernet.
  NamedTensors SupernetStart(const StageResult& largest) const;
  NamedTensors InheritedWeights(const Architecture& architecture,
                                const StageResult& supernet) const;
  TrainingJob StudentJob(const Architecture& architecture,
                         std::uint64_t seed) const;
  // Trains and files the weights, unless training fails.
  std::variant<StageResult, Failure> FileTrained(
      const std::string& stage, const Json& inputs, const char* file,
      TrainingJob job, const TrainingOptions& training,
      const OnProgress& on_progress) const;
  struct ShrinkRound;
  std::variant<StageResult, Failure> ShrinkOnce(
      const ShrinkRound& round, const CompressionOptions& options,
      const OnProgress& on_progress) const;
  TrainingOptions ShortTraining(std::int64_t steps, double learning_rate) const;
  Teacher GuideOf(const Architecture& architecture,
                  const NamedTensors& weights) const;
  // One network, or the members of an ensemble, checked.
  std::vector<NamedTensors> TeacherWeights(const Architecture& architecture,
                                           const OnProgress& on_progress) const;
  TopTargets TopTargetsOf(const Teacher& teacher,
                          const StageResult& files) const;
  StageResult BertTeacherFiles(const OnProgress& on_progress) const;

  const TrainedEvaluatorOptions& options_;
  const PreparedData& data_;
  ArtifactStore store_;
};

}  // namespace hone
