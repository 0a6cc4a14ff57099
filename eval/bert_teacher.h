#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "eval/artifact_store.h"
#include "train/data/task.h"
#include "train/trainer.h"

namespace hone {

// The names of a teacher's files.
inline constexpr char kTeacherFile[] = "teacher.safetensors";
inline constexpr char kLogitsFile[] = "logits.safetensors";

struct BertTeacherOptions {
  std::filesystem::path folder;  // as ReadBertCheckpoint reads it
  std::string pooling = "mean";  // as BertFeatures knows it
  TrainingOptions training;      // of the classifier
  std::uint64_t seed = 0;
  // Called now and then with the fraction that is done; may throw.
  std::function<void(double fraction)> on_progress;
};

// A text classification's teacher from a BERT whose weights stay as they are: a
// linear classifier is trained on its features of the training split. Features
// and teacher are filed, each under what it depends on, and made once.
//   teacher.safetensors  the BERT's weights and classifier.weight, .bias, with
//                        the BERT as metadata
//   logits.safetensors   "logits" [N,C] on the training split
// Throws: what ReadBertCheckpoint, BertFeatures and TrainLinearHead throw;
// Error{kUsage} when the task's vocabulary is not that of the BERT.
StageResult MakeBertTeacher(const BertTeacherOptions& options,
                            const PreparedData& data,
                            const ArtifactStore& store);

}  // namespace hone
