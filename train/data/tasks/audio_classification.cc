#include <algorithm>
#include <cmath>

#include "space/base/error.h"
#include "space/base/hash.h"
#include "train/data/task.h"
#include "train/data/wav.h"
#include "train/data/wordnet.h"

namespace hone {
namespace {

// Sounds with their class numbers, all cut or padded to one length.
struct Sounds {
  std::vector<std::vector<float>> samples;
  std::vector<std::int64_t> labels;
  std::int64_t rate = 0;
};

// Of the first 32 bits of the SHA-256 of a prompt's name without its language,
// modulo 10, 9 is test and 8 is dev: a sentence is in one split in all
// languages.
Split SplitOf(const std::string& path, const std::string& language) {
  const std::size_t at = path.find("/" + language + "/");
  const std::string name =
      at == std::string::npos ? path : path.substr(at + language.size() + 2);
  const auto part = std::stoul(Sha256(name).substr(0, 8), nullptr, 16) % 10;
  return part == 9 ? Split::kTest : part == 8 ? Split::kDev : Split::kTrain;
}

std::vector<LabelledFile> Files(const TaskOptions& options, Split split) {
  if (options.train.empty()) {
    std::vector<LabelledFile> files;
    for (LabelledFile& file : SpokenPrompts()) {
      if (SplitOf(file.path.string(), file.label) == split) {
        files.push_back(std::move(file));
      }
    }
    return files;
  }
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
  return ListClassFolders(folder, {".wav"});
}

Sounds Load(const TaskOptions& options, Split split,
            const std::vector<std::string>& classes) {
  Sounds sounds;
  for (const LabelledFile& file : Files(options, split)) {
    const auto found =
        std::lower_bound(classes.begin(), classes.end(), file.label);
    if (found == classes.end() || *found != file.label) {
      throw Error(ErrorCode::kUsage,
                  file.path.string() + ": the class '" + file.label +
                      "' does not occur in the training folder" +
                      DidYouMean(file.label, classes));
    }
    Sound sound = ReadWav(file.path);
    if (sounds.rate == 0) sounds.rate = sound.rate;
    if (sound.rate != sounds.rate) {
      throw Error(ErrorCode::kUsage,
                  file.path.string() + ": " + std::to_string(sound.rate) +
                      " samples a second, and the files before it have " +
                      std::to_string(sounds.rate) +
                      "; all must have the same rate");
    }
    sound.samples.resize(
        static_cast<std::size_t>(std::lround(options.sound_seconds *
                                             static_cast<double>(sound.rate))),
        0);
    sounds.samples.push_back(std::move(sound.samples));
    sounds.labels.push_back(found - classes.begin());
  }
  if (sounds.labels.empty()) {
    throw Error(ErrorCode::kUsage, "a split of this task has no sounds");
  }
  return sounds;
}

std::vector<std::string> ClassesOf(const std::vector<LabelledFile>& files) {
  std::vector<std::string> classes;
  for (const LabelledFile& file : files) classes.push_back(file.label);
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  return classes;
}

TaskData ToFrames(const Sounds& sounds, const TaskOptions& options,
                  const TaskTools& tools) {
  HONE_CHECK(tools.spectrogram);
  TaskData data;
  data.labels = sounds.labels;
  data.frames.width = options.mel_bands;
  for (const std::vector<float>& samples : sounds.samples) {
    const std::vector<float> frames =
        tools.spectrogram(samples, sounds.rate, options.mel_bands);
    data.frames.count =
        static_cast<std::int64_t>(frames.size()) / options.mel_bands;
    data.frames.values.insert(data.frames.values.end(), frames.begin(),
                              frames.end());
  }
  return data;
}

class AudioClassification : public Task {
 public:
  PreparedData Prepare(const TaskOptions& options,
                       const TaskTools& tools) const override {
    PreparedData data;
    data.classes = ClassesOf(Files(options, Split::kTrain));
    data.train =
        ToFrames(Load(options, Split::kTrain, data.classes), options, tools);
    data.dev =
        ToFrames(Load(options, Split::kDev, data.classes), options, tools);
    data.shape.vocabulary = 0;
    data.shape.features = data.train.frames.width;
    data.shape.max_tokens = data.train.frames.count;
    return data;
  }

  TaskData TestSplit(const TaskOptions& options, const TaskTools& tools,
                     const std::vector<std::string>& classes,
                     const Vocabulary*) const override {
    return ToFrames(Load(options, Split::kTest, classes), options, tools);
  }
};

}  // namespace

std::unique_ptr<Task> MakeAudioClassification() {
  return std::make_unique<AudioClassification>();
}

}  // namespace hone
