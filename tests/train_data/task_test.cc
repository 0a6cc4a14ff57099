#include "train/data/task.h"

#include <fstream>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/encode_image.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

void Write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

// 2 x 2 grey pixels.
std::string Png(const std::vector<std::uint8_t>& pixels) {
  return PngFile(2, 2, PNG_FORMAT_GRAY, pixels.data());
}

struct ImageTask : testing::Test {
  ScratchFolder folder;
  TaskOptions options;

  ImageTask() {
    Write(folder / "train/a/1.png", Png({0, 10, 20, 30}));
    Write(folder / "train/b/1.png", Png({255, 200, 150, 100}));
    Write(folder / "dev/a/1.png", Png({1, 2, 3, 4}));
    Write(folder / "dev/b/1.png", Png({9, 9, 9, 9}));
    Write(folder / "test/a/1.png", Png({0, 10, 20, 30}));
    Write(folder / "test/b/1.png", Png({255, 200, 150, 100}));
    Write(folder / "large.png",
          PngFile(1, 4, PNG_FORMAT_GRAY, "\x01\x02\x03\x04"));
    options.kind = "image-classification";
    options.train = (folder / "train").string();
    options.dev = (folder / "dev").string();
    options.test = (folder / "test").string();
    options.image_height = 2;
    options.image_width = 2;
    options.patch = 1;
  }
};

// What is kept with a model is enough: the training images may be gone.
TEST_F(ImageTask, NewImagesAreScaledAsTrainingWas) {
  const PreparedData data = PrepareData(options, {});
  const Preparation known{data.classes, nullptr, data.pixels};
  const Task& task = TaskOf(options.kind);
  std::filesystem::remove_all(folder / "train");
  const TaskData example =
      task.Example(options, {}, known, (folder / "test/b/1.png").string());
  const std::vector<float> second(data.train.frames.values.begin() + 4,
                                  data.train.frames.values.end());
  EXPECT_EQ(example.frames.values, second);
  EXPECT_EQ(example.size(), 1u);
  const TaskData test = task.TestSplit(options, {}, known);
  EXPECT_EQ(test.frames.values, data.train.frames.values);
  EXPECT_EQ(test.labels, data.train.labels);
  ExpectError(ErrorCode::kUsage,
              "large.png: height 1 and width 4; the model reads 2 and 2", [&] {
                task.Example(options, {}, known,
                             (folder / "large.png").string());
              });
}

TEST(TextTask, NewTextsAreTokenizedAsTrainingWas) {
  const ScratchFolder folder;
  Write(folder / "train.tsv", "text\tlabel\nred fox\ta\nblue bird\tb\n");
  Write(folder / "dev.tsv", "text\tlabel\nblue fox\ta\n");
  TaskOptions options;
  options.train = (folder / "train.tsv").string();
  options.dev = (folder / "dev.tsv").string();
  const PreparedData data = PrepareData(options, {});
  const Preparation known{data.classes, data.vocabulary.get(), {}};
  EXPECT_EQ(TaskOf(options.kind).Example(options, {}, known, "blue fox").tokens,
            data.dev.tokens);
}

// What a model writes is compared with what it learned to write.
TEST(TranslationTask, ReferencesAreFoldedAsTheVocabularyFolds) {
  const ScratchFolder folder;
  for (const char* split : {"train", "dev"}) {
    Write(folder / (std::string(split) + ".es"), "Dijo Dios\nY fue\n");
    Write(folder / (std::string(split) + ".en"), "And God said\nAnd it was\n");
  }
  TaskOptions options;
  options.kind = "translation";
  options.vocabulary = "character";
  options.train = (folder / "train.es").string();
  options.train_target = (folder / "train.en").string();
  options.dev = (folder / "dev.es").string();
  options.dev_target = (folder / "dev.en").string();
  const PreparedData data = PrepareData(options, {});
  EXPECT_EQ(data.dev.references.at(0), "And God said");
  EXPECT_EQ(data.vocabulary->Decode(data.dev.targets.at(0)), "And God said");
}

// A file of 16-bit samples, all 0.
std::string Silence(std::int64_t rate, std::size_t samples) {
  const auto little = [](std::uint64_t number, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) {
      text += static_cast<char>(number >> (8 * i) & 0xFF);
    }
    return text;
  };
  const auto r = static_cast<std::uint64_t>(rate);
  return "RIFF" + little(36 + 2 * samples, 4) + "WAVEfmt " + little(16, 4) +
         little(1, 2) + little(1, 2) + little(r, 4) + little(2 * r, 4) +
         little(2, 2) + little(16, 2) + "data" + little(2 * samples, 4) +
         std::string(2 * samples, '\0');
}

// The number of frames does not tell the rate.
TEST(AudioTask, RefusesSoundsOfAnotherRate) {
  const ScratchFolder folder;
  for (const char* split : {"train", "dev", "test"}) {
    for (const char* label : {"a", "b"}) {
      Write(folder / split / label / "1.wav", Silence(8000, 100));
    }
  }
  Write(folder / "other.wav", Silence(16000, 200));
  TaskOptions options;
  options.kind = "audio-classification";
  options.train = (folder / "train").string();
  options.dev = (folder / "dev").string();
  options.test = (folder / "test").string();
  options.mel_bands = 8;
  const TaskTools tools{[](const auto&, std::int64_t, std::int64_t bands) {
    return std::vector<float>(static_cast<std::size_t>(3 * bands), 0.0F);
  }};
  const PreparedData data = PrepareData(options, tools);
  EXPECT_EQ(data.train.frames.rate, 8000);
  const Task& task = TaskOf(options.kind);
  const Preparation known{data.classes, nullptr, {}, data.train.frames.rate};
  EXPECT_EQ(task.TestSplit(options, tools, known).size(), 2u);
  const std::string refusal =
      "other.wav: 16000 samples a second, where the training split has 8000";
  ExpectError(ErrorCode::kUsage, refusal.c_str(), [&] {
    task.Example(options, tools, known, (folder / "other.wav").string());
  });
  for (const char* label : {"a", "b"}) {
    Write(folder / "dev" / label / "1.wav", Silence(16000, 200));
  }
  ExpectError(ErrorCode::kUsage, "dev: 16000 samples a second",
              [&] { PrepareData(options, tools); });
}

// Images of one row and their labels, as IDX files.
void WriteIdx(const std::filesystem::path& images,
              const std::filesystem::path& labels, int width,
              const std::string& numbers) {
  const auto count = static_cast<char>(numbers.size());
  Write(images,
        std::string{0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0,
                    static_cast<char>(width)} +
            std::string(numbers.size() * static_cast<std::size_t>(width),
                        '\x7f'));
  Write(labels, std::string{0, 0, 8, 1, 0, 0, 0, count} + numbers);
}

TEST(IdxTask, RefusesOtherSizesAndLabelsThatTrainingLacks) {
  const ScratchFolder folder;
  TaskOptions options;
  options.kind = "image-classification";
  options.image_height = 1;
  options.image_width = 4;
  options.patch = 1;
  const auto pair = [&](const std::string& split, int width,
                        const std::string& labels) {
    WriteIdx(folder / (split + ".images"), folder / (split + ".labels"), width,
             labels);
    return (folder / (split + ".images")).string() + ":" +
           (folder / (split + ".labels")).string();
  };
  options.train = pair("train", 4, std::string("\0\1\0", 3));
  options.dev = pair("dev", 4, std::string("\1\0", 2));
  options.test = pair("test", 4, std::string("\2\0", 2));
  const PreparedData data = PrepareData(options, {});
  const Preparation known{data.classes, nullptr, data.pixels};
  ExpectError(ErrorCode::kUsage, "has a label above 1",
              [&] { TaskOf(options.kind).TestSplit(options, {}, known); });
  options.dev = pair("dev", 2, std::string("\1\0", 2));
  ExpectError(ErrorCode::kUsage, "images of height 1 and width 2",
              [&] { PrepareData(options, {}); });
}

TEST(LanguageTask, ClassifiesNothing) {
  TaskOptions options;
  options.kind = "language-model";
  ExpectError(ErrorCode::kInternal, "task.language-model classifies nothing",
              [&] { TaskOf(options.kind).Example(options, {}, {}, "text"); });
}

// The image 1 2 / 3 4, a pixel a token, each with its neighbours.
TEST_F(ImageTask, PatchesOverlapAndAreBlankOutside) {
  Write(folder / "train/a/1.png", Png({10, 20, 30, 40}));
  options.patch_overlap = 1;
  options.augmentation = "flip";
  const PreparedData data = PrepareData(options, {});
  const Frames& frames = data.train.frames;
  ASSERT_EQ(frames.width, 9);
  ASSERT_EQ(frames.count, 4);
  ASSERT_EQ(data.shape.features, 9);
  const auto scaled = [&](int pixel) {
    return static_cast<float>((pixel / 255.0 - data.pixels.mean) /
                              data.pixels.deviation);
  };
  const std::vector<std::vector<int>> pixels{{0, 0, 0, 0, 10, 20, 0, 30, 40},
                                             {0, 0, 0, 10, 20, 0, 30, 40, 0},
                                             {0, 10, 20, 0, 30, 40, 0, 0, 0},
                                             {10, 20, 0, 30, 40, 0, 0, 0, 0}};
  for (std::size_t token = 0; token < 4; ++token) {
    for (std::size_t i = 0; i < 9; ++i) {
      EXPECT_EQ(frames.values[token * 9 + i], scaled(pixels[token][i]))
          << token << " " << i;
    }
  }
  // Mirrored: 2 1 / 4 3, of which the first token sees 0 0 0 0 2 1 0 4 3.
  ASSERT_EQ(frames.variants.size(), 2u);
  const std::vector<int> mirrored{0, 0, 0, 0, 20, 10, 0, 40, 30};
  for (std::size_t i = 0; i < 9; ++i) {
    const std::int64_t place = frames.variants[1][i];
    EXPECT_EQ(place < 0 ? frames.blank
                        : frames.values[static_cast<std::size_t>(place)],
              scaled(mirrored[i]));
  }
}

}  // namespace
}  // namespace hone
