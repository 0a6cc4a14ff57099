#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <jpeglib.h>
#include <png.h>

namespace hone {

// A PNG file of the samples, which are as `format` (PNG_FORMAT_*) says.
inline std::string PngFile(int height, int width, png_uint_32 format,
                           const void* samples, const void* colors = nullptr,
                           int color_count = 0) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);
  image.format = format;
  image.colormap_entries = static_cast<png_uint_32>(color_count);
  png_alloc_size_t size = 0;
  EXPECT_NE(
      png_image_write_to_memory(&image, nullptr, &size, 0, samples, 0, colors),
      0)
      << image.message;
  std::string bytes(size, '\0');
  EXPECT_NE(png_image_write_to_memory(&image, bytes.data(), &size, 0, samples,
                                      0, colors),
            0)
      << image.message;
  return bytes;
}

// A JPEG file of quality 100 of samples of `channels` (1, 3 or, for inks, 4).
inline std::string JpegFile(int height, int width, int channels,
                            const std::vector<unsigned char>& samples,
                            bool progressive = false) {
  jpeg_compress_struct encoder = {};
  jpeg_error_mgr errors = {};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &buffer, &size);
  encoder.image_height = static_cast<JDIMENSION>(height);
  encoder.image_width = static_cast<JDIMENSION>(width);
  encoder.input_components = channels;
  encoder.in_color_space = channels == 1   ? JCS_GRAYSCALE
                           : channels == 3 ? JCS_RGB
                                           : JCS_CMYK;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, 100, TRUE);
  if (progressive) jpeg_simple_progression(&encoder);
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(&samples[static_cast<std::size_t>(
        static_cast<int>(encoder.next_scanline) * width * channels)]);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  std::string bytes(reinterpret_cast<const char*>(buffer), size);
  jpeg_destroy_compress(&encoder);
  std::free(buffer);
  return bytes;
}

}  // namespace hone
