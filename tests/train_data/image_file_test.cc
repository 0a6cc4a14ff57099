#include "train/data/image_file.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/deflate.h"
#include "tests/train_data/encode_image.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

using Bytes = std::vector<std::uint8_t>;

Image Read(const std::string& bytes) {
  const ScratchFolder folder;
  std::ofstream(folder / "a", std::ios::binary) << bytes;
  return ReadImage(folder / "a");
}

std::string Big(std::uint32_t number) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += static_cast<char>(number >> shift & 0xFF);
  }
  return text;
}

std::string PngChunk(const std::string& name, const std::string& data) {
  const std::string checked = name + data;
  return Big(static_cast<std::uint32_t>(data.size())) + checked +
         Big(static_cast<std::uint32_t>(
             crc32(0, reinterpret_cast<const Bytef*>(checked.data()),
                   static_cast<uInt>(checked.size()))));
}

// Of 8-bit grey, by the specification alone: `rows` is what it compresses.
std::string PngByHand(std::uint32_t height, std::uint32_t width,
                      const std::string& rows) {
  return "\x89PNG\r\n\x1A\n" +
         PngChunk("IHDR",
                  Big(width) + Big(height) + std::string("\x08\0\0\0\0", 5)) +
         PngChunk("IDAT", Deflated(rows)) + PngChunk("IEND", "");
}

TEST(ReadImage, ReadsPngByTheSpecification) {
  const Image image =
      Read(PngByHand(2, 3, std::string("\0\x01\x02\x03\0\x04\x05\xFF", 8)));
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.width, 3);
  EXPECT_EQ(Grey(image), (Bytes{1, 2, 3, 4, 5, 255}));
}

TEST(ReadImage, KeepsColorsOfPng) {
  const Bytes rgb = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30};
  const Image image = Read(PngFile(2, 2, PNG_FORMAT_RGB, rgb.data()));
  EXPECT_EQ(image.pixels, rgb);
  // 0.299, 0.587 and 0.114 of 255, and 18.15.
  EXPECT_EQ(Grey(image), (Bytes{76, 150, 29, 18}));
}

TEST(ReadImage, KeepsEveryGrey) {
  Bytes grey(256);
  for (std::size_t i = 0; i < 256; ++i) grey[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(Grey(Read(PngFile(16, 16, PNG_FORMAT_GRAY, grey.data()))), grey);
}

TEST(ReadImage, ExpandsPalettes) {
  const Bytes colors = {9, 8, 7, 200, 100, 50};
  const Bytes indices = {1, 0, 1};
  EXPECT_EQ(Read(PngFile(1, 3, PNG_FORMAT_RGB_COLORMAP, indices.data(),
                         colors.data(), 2))
                .pixels,
            (Bytes{200, 100, 50, 9, 8, 7, 200, 100, 50}));
}

TEST(ReadImage, ShowsWhiteBehindTransparency) {
  const Bytes rgba = {0, 0, 0, 0, 10, 20, 30, 255};
  EXPECT_EQ(Read(PngFile(1, 2, PNG_FORMAT_RGBA, rgba.data())).pixels,
            (Bytes{255, 255, 255, 10, 20, 30}));
}

TEST(ReadImage, ScalesSixteenBits) {
  const std::string rows("\0\x00\x00\x80\x80\xFF\xFF", 7);
  const std::string bytes =
      "\x89PNG\r\n\x1A\n" +
      PngChunk("IHDR", Big(3) + Big(1) + std::string("\x10\0\0\0\0", 5)) +
      PngChunk("IDAT", Deflated(rows)) + PngChunk("IEND", "");
  EXPECT_EQ(Grey(Read(bytes)), (Bytes{0, 128, 255}));
}

Bytes Ramp(int size, int channels) {
  Bytes samples;
  for (int i = 0; i < size * size; ++i) {
    for (int c = 0; c < channels; ++c) {
      samples.push_back(static_cast<std::uint8_t>(
          c == 0 ? 10 + 8 * (i % size) : 100 + 5 * (i / size)));
    }
  }
  return samples;
}

TEST(ReadImage, ReadsJpeg) {
  for (const bool progressive : {false, true}) {
    const Bytes grey = Ramp(16, 1);
    const Bytes read = Grey(Read(JpegFile(16, 16, 1, grey, progressive)));
    ASSERT_EQ(read.size(), grey.size());
    for (std::size_t i = 0; i < grey.size(); ++i) {
      EXPECT_LE(std::abs(read[i] - grey[i]), 2) << i;
    }
  }
  const Bytes color(16 * 16 * 3, 77);
  const Image image = Read(JpegFile(16, 16, 3, color));
  EXPECT_EQ(image.height, 16);
  ASSERT_EQ(image.pixels.size(), color.size());
  for (const std::uint8_t value : image.pixels) {
    EXPECT_LE(std::abs(value - 77), 2);
  }
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* message;
};

std::string GoodPng() {
  return PngByHand(2, 2, std::string("\0\x01\x02\0\x03\x04", 6));
}
std::string GoodJpeg() { return JpegFile(16, 16, 3, Ramp(16, 3)); }

std::string Replaced(std::string text, std::size_t at, const std::string& to) {
  return text.replace(at, to.size(), to);
}

// The frame header of a JPEG: FF C0, length, precision, height, width.
std::string JpegOfSize(const std::string& height_and_width) {
  const std::string good = GoodJpeg();
  return Replaced(good, good.find("\xFF\xC0") + 5, height_and_width);
}

const BadFile kBadFiles[] = {
    {"Empty", "", "a: neither PNG nor JPEG"},
    {"Text", "text", "a: neither PNG nor JPEG"},
    {"PngSignature", GoodPng().substr(0, 8), "a: cannot be decoded as PNG: "},
    {"PngCutHeader", GoodPng().substr(0, 20), "a: cannot be decoded as PNG: "},
    {"PngCutData", GoodPng().substr(0, 45), "a: cannot be decoded as PNG: "},
    {"PngChecksum", Replaced(GoodPng(), 45, "\x55"),
     "a: cannot be decoded as PNG: "},
    {"PngTooFewRows", PngByHand(2, 2, std::string("\0\x01\x02", 3)),
     "a: cannot be decoded as PNG: "},
    {"PngTooWide", PngByHand(1, 4097, std::string(4098, '\0')),
     "a: 1 x 4097 pixels; a side may have 1 to 4096"},
    {"PngBomb", PngByHand(1000000, 1000000, ""), "a: "},
    {"PngNoPixels", PngByHand(0, 1, ""), "a: "},
    {"JpegStart", "\xFF\xD8\xFF", "a: cannot be decoded as JPEG: "},
    {"JpegCutHeader", GoodJpeg().substr(0, 100),
     "a: cannot be decoded as JPEG: "},
    {"JpegCutData", GoodJpeg().substr(0, GoodJpeg().size() - 40),
     "a: cannot be decoded as JPEG: "},
    {"JpegNoEnd", GoodJpeg().substr(0, GoodJpeg().size() - 2),
     "a: cannot be decoded as JPEG: "},
    {"JpegBomb", JpegOfSize(std::string("\xFF\0\xFF\0", 4)), "a: "},
    {"JpegTooHigh", JpegOfSize(std::string("\x10\x01\x00\x01", 4)),
     "a: 4097 x 1 pixels; a side may have 1 to 4096"},
    {"JpegOfInks", JpegFile(8, 8, 4, Bytes(8 * 8 * 4)),
     "a: a JPEG of inks (CMYK); save it as RGB or grey"},
};

class RefuseBadImage : public ::testing::TestWithParam<BadFile> {};

TEST_P(RefuseBadImage, NamesTheFile) {
  ExpectError(ErrorCode::kUsage, GetParam().message,
              [] { Read(GetParam().bytes); });
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadImage, ::testing::ValuesIn(kBadFiles),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

// Nothing but an Error or an image may come of a file cut or changed anywhere;
// of the long ones, every seventh byte.
TEST(ReadImage, SurvivesDamagedFiles) {
  const ScratchFolder folder;
  const auto survives = [&](const std::string& bytes) {
    std::ofstream(folder / "a", std::ios::binary) << bytes;
    try {
      const Image image = ReadImage(folder / "a");
      EXPECT_EQ(image.pixels.size(),
                static_cast<std::size_t>(3 * image.height * image.width));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    }
  };
  for (const std::string& good :
       {GoodPng(), GoodJpeg(), JpegFile(16, 16, 3, Ramp(16, 3), true)}) {
    for (std::size_t i = 0; i<good.size(); i += good.size()> 100 ? 7 : 1) {
      survives(good.substr(0, i));
      survives(Replaced(good, i, "\xFF"));
      survives(Replaced(good, i, std::string(1, '\0')));
    }
  }
}

TEST(ReadImage, NamesAMissingFile) {
  ExpectError(ErrorCode::kNotFound, "none.png: no such file",
              [] { ReadImage("none.png"); });
}

}  // namespace
}  // namespace hone
