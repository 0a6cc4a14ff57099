#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "space/cost.h"
#include "train/data/task_data.h"
#include "train/data/task_options.h"
#include "train/data/vocabulary.h"

namespace hone {

// Everything about a task's data that training and measuring need. Immutable.
// Pixels of 0 to 255 become (pixel / 255 - mean) / deviation.
struct PixelScale {
  double mean = 0;
  double deviation = 1;
  bool operator==(const PixelScale&) const = default;
};

// What was learned of the training split beside the weights: kept with a model,
// so that new examples become the numbers it was trained on.
struct Preparation {
  std::vector<std::string> classes;
  const Vocabulary* vocabulary = nullptr;  // null for images and sounds
  PixelScale pixels;                       // of images
  std::int64_t sound_rate = 0;  // samples a second, of sounds; 0: not known
};

struct PreparedData {
  std::vector<std::string> classes;              // of a classification
  std::shared_ptr<const Vocabulary> vocabulary;  // null for images and sounds
  std::string vocabulary_bytes;                  // as Vocabulary::Serialize
  PixelScale pixels;                             // of images
  TaskData train;
  TaskData dev;
  // What the network's size depends on.
  TaskShape shape;
  // SHA-256 over examples, splits and vocabulary: the identity of the data.
  std::string content_hash;
};

// Log energies of a sound: [T, bands] for `samples` at `rate` per second.
using SpectrogramFunction = std::function<std::vector<float>(
    const std::vector<float>& samples, std::int64_t rate, std::int64_t bands)>;

// What a task needs from outside this folder.
struct TaskTools {
  SpectrogramFunction spectrogram = {};
};

// One kind of task: from files to examples as numbers. Stateless.
class Task {
 public:
  virtual ~Task() = default;
  // Loads the data set, trains the vocabulary on its training split and turns
  // train and dev into numbers; content_hash is left to PrepareData.
  // Throws: Error{kUsage} naming file and place of a bad example,
  // Error{kNotFound} naming the Debian package or the file that is missing.
  virtual PreparedData Prepare(const TaskOptions& options,
                               const TaskTools& tools) const = 0;
  // The test split, prepared as training was; nothing else reads it.
  virtual TaskData TestSplit(const TaskOptions& options, const TaskTools& tools,
                             const Preparation& known) const = 0;
  // One new example of a classification, without a label: a text, or the path
  // of an image or a sound. Throws Error{kUsage}, Error{kNotFound} as Prepare;
  // Error{kInternal} for other tasks.
  virtual TaskData Example(const TaskOptions& options, const TaskTools& tools,
                           const Preparation& known,
                           const std::string& text_or_file) const;
};

// The task of a kind. Throws Error{kUsage}.
const Task& TaskOf(const std::string& kind);

PreparedData PrepareData(const TaskOptions& options, const TaskTools& tools);

// --- Parts that several tasks share
// --------------------------------------------

// The texts' tokens; at most `max_tokens` of each.
std::vector<std::vector<std::int64_t>> Tokenize(
    const std::vector<std::string_view>& texts, const Vocabulary& vocabulary,
    std::int64_t max_tokens);

// Labels as class names: each once, sorted.
std::vector<std::string> ClassNames(const std::vector<std::string>& labels);
// The number of a label among the classes. Throws Error{kUsage} that begins
// with `where` when training has no such label.
std::int64_t ClassNumber(const std::vector<std::string>& classes,
                         const std::string& label, const std::string& where);
// Which of `parts` equal parts a text falls into: the first 32 bits of its
// SHA-256 modulo `parts`. Equal texts fall together.
std::uint64_t HashPart(const std::string& text, std::uint64_t parts);

// In a translation, the numbers behind the vocabulary's own that begin and end
// a target.
inline std::int64_t BeginToken(const TaskShape& shape) {
  return shape.vocabulary - 2;
}
inline std::int64_t EndToken(const TaskShape& shape) {
  return shape.vocabulary - 1;
}

// Of the kinds, each in its own file.
std::unique_ptr<Task> MakeTextClassification();
std::unique_ptr<Task> MakeSequenceClassification();
std::unique_ptr<Task> MakeLanguageModel();
std::unique_ptr<Task> MakeTranslation();
std::unique_ptr<Task> MakeImageClassification();
std::unique_ptr<Task> MakeAudioClassification();

}  // namespace hone
