#include "experiments/nominal_shape.h"

#include <cstdint>

#include "train/data/task.h"

namespace hone {
namespace {

// Classes of a task whose data nobody reads.
constexpr std::int64_t kNominalClasses = 45;

}  // namespace

TaskShape NominalShape(const TaskOptions& task) {
  TaskShape shape;
  shape.topology = TopologyOf(task);
  shape.vocabulary = task.vocabulary == "wordpiece"
                         ? TrainVocabulary(task, {})->size()
                         : task.vocabulary_size;
  shape.classes = kNominalClasses;
  shape.max_tokens = task.max_tokens;
  shape.max_target_tokens = task.max_target_tokens;
  if (task.kind == "image-classification") {
    shape.vocabulary = 0;
    shape.features = PatchSide(task) * PatchSide(task);
    shape.max_tokens =
        (task.image_height / task.patch) * (task.image_width / task.patch);
  } else if (task.kind == "audio-classification") {
    shape.vocabulary = 0;
    shape.features = task.mel_bands;
  }
  return shape;
}

}  // namespace hone
