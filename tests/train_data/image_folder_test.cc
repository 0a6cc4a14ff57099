#include "train/data/image_folder.h"

#include <fstream>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/encode_image.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

using Bytes = std::vector<std::uint8_t>;

void Write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

// 1 x 2 pixels of one color.
std::string Png(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  const Bytes rgb = {red, green, blue, red, green, blue};
  return PngFile(1, 2, PNG_FORMAT_RGB, rgb.data());
}

TEST(ReadImageFolder, ReadsGreyAndColors) {
  const ScratchFolder folder;
  Write(folder / "red/1.png", Png(255, 0, 0));
  Write(folder / "dark/2.png", Png(7, 7, 7));
  Write(folder / "dark/1.jpeg", JpegFile(1, 2, 1, Bytes(2, 90)));
  const auto grey = ReadImageFolder(folder.path(), 1, 2, 1);
  ASSERT_EQ(grey.size(), 3u);
  EXPECT_EQ(grey[0].label, "dark");
  EXPECT_EQ(grey[0].file, (folder / "dark/1.jpeg").string());
  EXPECT_EQ(grey[0].pixels, Bytes(2, 90));
  EXPECT_EQ(grey[1].pixels, Bytes(2, 7));
  EXPECT_EQ(grey[2].label, "red");
  EXPECT_EQ(grey[2].pixels, Bytes(2, 76));
  const auto colors = ReadImageFolder(folder.path(), 1, 2, 3);
  EXPECT_EQ(colors[0].pixels, Bytes(6, 90));
  EXPECT_EQ(colors[2].pixels, (Bytes{255, 0, 0, 255, 0, 0}));
}

TEST(ReadImageFolder, RefusesAnotherSize) {
  const ScratchFolder folder;
  Write(folder / "a/1.png", Png(1, 2, 3));
  Write(folder / "b/1.png", Png(1, 2, 3));
  ExpectError(ErrorCode::kUsage,
              "a/1.png: 1 x 2 pixels (height x width); 2 x 1 pixels are needed",
              [&] { ReadImageFolder(folder.path(), 2, 1, 1); });
}

TEST(ReadImageFolder, NamesADamagedFile) {
  const ScratchFolder folder;
  Write(folder / "a/1.png", Png(1, 2, 3));
  Write(folder / "b/1.png", "GIF89a");
  ExpectError(ErrorCode::kUsage, "b/1.png: neither PNG nor JPEG",
              [&] { ReadImageFolder(folder.path(), 1, 2, 1); });
  ExpectError(ErrorCode::kNotFound, "none: no such folder",
              [&] { ReadImageFolder(folder / "none", 1, 2, 1); });
}

}  // namespace
}  // namespace hone
