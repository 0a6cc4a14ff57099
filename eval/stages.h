#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "eval/trained_evaluator.h"

namespace hone {

// The stages of a trial as functions of their inputs. Each looks its result up
// in the artifact store before it makes it. Thread-safe.
class Stages {
 public:
  Stages(const TrainedEvaluatorOptions& options, const PreparedData& data);

  // `fraction` of the stage that is done, now and then.
  using OnProgress = std::function<void(double fraction)>;

  // teacher.safetensors, and of a classification logits.safetensors on the
  // training split. Of a BERT its weights with a classifier that was trained on
  // its features, which are filed too (features.safetensors).
  // Throws Error{kUsage} when the teacher diverges, the checkpoint does not fit
  // its architecture, or a BERT reads other tokens than the task's.
  StageResult TeacherFiles(const OnProgress& on_progress) const;
  Teacher LoadTeacher(const StageResult& files) const;

  // student.safetensors in f32. `architecture` without precision. `teacher`
  // and its files: none where nothing is learned from one.
  std::variant<StageResult, Failure> Student(
      const Architecture& architecture, std::uint64_t seed,
      const std::optional<Teacher>& teacher, const StageResult& teacher_files,
      const OnProgress& on_progress) const;
  // quantized.safetensors.
  StageResult Quantized(const Architecture& architecture,
                        const StageResult& student) const;
  // model.onnx, and encoder.onnx of an encoder-decoder.
  StageResult Exported(const Architecture& architecture,
                       const StageResult& quantized) const;
  // The f32 model with initial weights whose latency is the unit of
  // latency_ratio: d 128, 2 blocks, 4 heads, FFN 256, in every study of a task.
  StageResult Reference() const;

 private:
  TrainingResult TrainTeacher(const OnProgress& on_progress) const;
  StageResult BertTeacherFiles(const OnProgress& on_progress) const;

  const TrainedEvaluatorOptions& options_;
  const PreparedData& data_;
  ArtifactStore store_;
};

}  // namespace hone
