#include <algorithm>
#include <cmath>

#include "space/base/error.h"
#include "train/data/task.h"
#include "train/data/wav.h"
#include "train/data/wordnet.h"

namespace hone {
namespace {

// Of 10 parts of the prompts' names without their language, 9 is test and 8 is
// dev: a sentence is in one split in all languages.
Split SplitOf(const std::string& name) {
  const std::uint64_t part = HashPart(name, 10);
  return part == 9 ? Split::kTest : part == 8 ? Split::kDev : Split::kTrain;
}

std::vector<LabelledSound> Prompts(Split split) {
  std::vector<LabelledSound> sounds;
  for (const LabelledFile& file : SpokenPrompts()) {
    const std::string path = file.path.string();
    // Silence is of no language.
    if (path.find("/silence/") != std::string::npos) continue;
    const std::string folder = SpokenPromptsFolder().string();
    const std::size_t slash = path.find('/', folder.size() + 1);
    if (SplitOf(path.substr(std::min(slash, path.size()))) != split) continue;
    sounds.push_back({ReadWav(file.path), file.label, path});
  }
  return sounds;
}

std::vector<LabelledSound> Load(const TaskOptions& options, Split split) {
  if (options.train.empty()) return Prompts(split);
  const auto& [key, folder] =
      split == Split::kTrain ? std::pair("train", options.train)
      : split == Split::kDev ? std::pair("dev", options.dev)
                             : std::pair("test", options.test);
  if (folder.empty()) {
    throw Error(ErrorCode::kUsage,
                std::string("task.") + key +
                    ": missing; name a folder with a folder of .wav files for "
                    "each class");
  }
  return ReadSoundFolder(folder);
}

// All cut or padded to one length, so that all have as many frames.
TaskData ToFrames(std::vector<LabelledSound> sounds,
                  const std::vector<std::string>& classes,
                  const TaskOptions& options, const TaskTools& tools) {
  HONE_CHECK(tools.spectrogram);
  TaskData data;
  data.frames.width = options.mel_bands;
  if (!sounds.empty()) data.frames.rate = sounds.front().sound.rate;
  for (LabelledSound& one : sounds) {
    const std::int64_t rate = one.sound.rate;
    if (rate != sounds.front().sound.rate) {
      throw Error(ErrorCode::kUsage,
                  one.file + ": " + std::to_string(rate) +
                      " samples a second, and " + sounds.front().file +
                      " has " + std::to_string(sounds.front().sound.rate) +
                      "; all must have the same rate");
    }
    one.sound.samples.resize(static_cast<std::size_t>(
        std::lround(options.sound_seconds * static_cast<double>(rate))));
    const std::vector<float> frames =
        tools.spectrogram(one.sound.samples, rate, options.mel_bands);
    data.frames.count =
        static_cast<std::int64_t>(frames.size()) / options.mel_bands;
    data.frames.values.insert(data.frames.values.end(), frames.begin(),
                              frames.end());
    data.labels.push_back(ClassNumber(classes, one.label, one.file));
  }
  if (data.labels.empty()) {
    throw Error(ErrorCode::kUsage, "a split of this task has no sounds");
  }
  return data;
}

// As many frames come of any rate, of other bands.
void CheckRate(const TaskData& data, std::int64_t trained,
               const std::string& where) {
  if (trained == 0 || data.frames.rate == trained) return;
  throw Error(ErrorCode::kUsage,
              where + ": " + std::to_string(data.frames.rate) +
                  " samples a second, where the training split has " +
                  std::to_string(trained) + "; resample it");
}

class AudioClassification : public Task {
 public:
  PreparedData Prepare(const TaskOptions& options,
                       const TaskTools& tools) const override {
    PreparedData data;
    std::vector<LabelledSound> train = Load(options, Split::kTrain);
    std::vector<std::string> labels;
    for (const LabelledSound& one : train) labels.push_back(one.label);
    data.classes = ClassNames(labels);
    data.train = ToFrames(std::move(train), data.classes, options, tools);
    data.dev =
        ToFrames(Load(options, Split::kDev), data.classes, options, tools);
    CheckRate(data.dev, data.train.frames.rate, options.dev);
    data.shape.vocabulary = 0;
    data.shape.features = data.train.frames.width;
    data.shape.max_tokens = data.train.frames.count;
    return data;
  }

  TaskData TestSplit(const TaskOptions& options, const TaskTools& tools,
                     const Preparation& known) const override {
    TaskData test =
        ToFrames(Load(options, Split::kTest), known.classes, options, tools);
    CheckRate(test, known.sound_rate, options.test);
    return test;
  }

  // Any class: a new sound has no label.
  TaskData Example(const TaskOptions& options, const TaskTools& tools,
                   const Preparation& known,
                   const std::string& file) const override {
    TaskData sound = ToFrames({{ReadWav(file), known.classes.at(0), file}},
                              known.classes, options, tools);
    CheckRate(sound, known.sound_rate, file);
    return sound;
  }
};

}  // namespace

std::unique_ptr<Task> MakeAudioClassification() {
  return std::make_unique<AudioClassification>();
}

}  // namespace hone
