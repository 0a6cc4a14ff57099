#include "train/data/image_file.h"

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <string>

// clang-format off: jerror.h goes by the version that jpeglib.h defines.
#include <jerror.h>
#include <jpeglib.h>
// clang-format on
#include <png.h>

#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

constexpr std::uintmax_t kMaxFile = std::uintmax_t{64} << 20;
constexpr std::int64_t kMaxSide = 4096;

[[noreturn]] void Refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::kUsage, path + ": " + what);
}

// An image of that size, black.
Image Sized(const std::string& path, std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1 || height > kMaxSide || width > kMaxSide) {
    Refuse(path, std::to_string(height) + " x " + std::to_string(width) +
                     " pixels; a side may have 1 to " +
                     std::to_string(kMaxSide));
  }
  return {
      height, width,
      std::vector<std::uint8_t>(static_cast<std::size_t>(height * width) * 3)};
}

class PngImage {
 public:
  PngImage() { image_.version = PNG_IMAGE_VERSION; }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
  ~PngImage() { png_image_free(&image_); }

  Image Read(const std::string& path, const std::string& bytes) {
    if (png_image_begin_read_from_memory(&image_, bytes.data(), bytes.size()) ==
        0) {
      Refuse(path, std::string("cannot be decoded as PNG: ") + image_.message);
    }
    Image image = Sized(path, image_.height, image_.width);
    image_.format = PNG_FORMAT_RGB;
    // Else samples of 16 bits would count as linear light.
    image_.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    const png_color white = {255, 255, 255};
    if (png_image_finish_read(&image_, &white, image.pixels.data(), 0,
                              nullptr) == 0) {
      Refuse(path, std::string("cannot be decoded as PNG: ") + image_.message);
    }
    return image;
  }

 private:
  png_image image_ = {};
};

// libjpeg's handler of errors must not return, and its own ends the process.
// So each method that calls libjpeg holds a setjmp, and nothing that a jump
// would leave undestroyed.
class JpegImage {
 public:
  JpegImage() {
    decoder_.err = jpeg_std_error(&errors_);
    errors_.error_exit = &Fail;
    errors_.emit_message = &Warn;
    decoder_.client_data = this;
  }
  JpegImage(const JpegImage&) = delete;
  JpegImage& operator=(const JpegImage&) = delete;
  ~JpegImage() { jpeg_destroy_decompress(&decoder_); }

  Image Read(const std::string& path, const std::string& bytes) {
    if (!ReadHeader(bytes.data(), bytes.size())) RefuseDamage(path);
    Image image = Sized(path, decoder_.image_height, decoder_.image_width);
    if (decoder_.num_components > 3) {
      Refuse(path, "a JPEG of inks (CMYK); save it as RGB or grey");
    }
    if (!ReadPixels(image.pixels.data())) RefuseDamage(path);
    return image;
  }

 private:
  static void Fail(j_common_ptr decoder) {
    auto* self = static_cast<JpegImage*>(decoder->client_data);
    decoder->err->format_message(decoder, self->message_);
    std::longjmp(self->jump_, 1);
  }
  // What libjpeg would make up for missing data is no image of anybody's.
  static void Warn(j_common_ptr decoder, int level) {
    if (level < 0 && decoder->err->msg_code != JWRN_EXTRANEOUS_DATA) {
      Fail(decoder);
    }
  }

  [[noreturn]] void RefuseDamage(const std::string& path) const {
    Refuse(path, std::string("cannot be decoded as JPEG: ") + message_);
  }

  bool ReadHeader(const char* bytes, std::size_t size) {
    if (setjmp(jump_) != 0) return false;
    jpeg_create_decompress(&decoder_);
    jpeg_mem_src(&decoder_, reinterpret_cast<const unsigned char*>(bytes),
                 static_cast<unsigned long>(size));
    jpeg_read_header(&decoder_, TRUE);
    return true;
  }

  bool ReadPixels(std::uint8_t* pixels) {
    if (setjmp(jump_) != 0) return false;
    decoder_.out_color_space = JCS_RGB;
    jpeg_start_decompress(&decoder_);
    while (decoder_.output_scanline < decoder_.output_height) {
      JSAMPROW row = pixels + std::size_t{3} * decoder_.output_width *
                                  decoder_.output_scanline;
      jpeg_read_scanlines(&decoder_, &row, 1);
    }
    jpeg_finish_decompress(&decoder_);
    return true;
  }

  jpeg_decompress_struct decoder_ = {};
  jpeg_error_mgr errors_ = {};
  std::jmp_buf jump_ = {};
  char message_[JMSG_LENGTH_MAX] = {};
};

}  // namespace

Image ReadImage(const std::filesystem::path& path) {
  const std::string bytes = ReadFile(path, kMaxFile);
  if (bytes.starts_with("\x89PNG\r\n\x1A\n")) {
    return PngImage().Read(path.string(), bytes);
  }
  if (bytes.starts_with("\xFF\xD8\xFF")) {
    return JpegImage().Read(path.string(), bytes);
  }
  Refuse(path.string(), "neither PNG nor JPEG");
}

std::vector<std::uint8_t> Grey(const Image& image) {
  std::vector<std::uint8_t> grey(image.pixels.size() / 3);
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const std::uint8_t* pixel = &image.pixels[3 * i];
    grey[i] = static_cast<std::uint8_t>(
        (19595u * pixel[0] + 38470u * pixel[1] + 7471u * pixel[2] + 32768u) >>
        16);
  }
  return grey;
}

}  // namespace hone
