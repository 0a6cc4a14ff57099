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
