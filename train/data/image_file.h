#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace hone {

struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;  // red, green, blue; row major
};

// Decodes a PNG or JPEG file, told by its first bytes. Values are sRGB: samples
// of 16 bits are scaled, palettes and grey are expanded, and what is
// transparent shows white. Orientation tags are not obeyed.
// Throws: Error{kUsage} naming the file: neither format, damaged or cut off, a
// side above 4096 (before anything is allocated), a file above 64 MiB, a JPEG
// of inks (CMYK); Error{kNotFound} naming the file.
Image ReadImage(const std::filesystem::path& path);

// One byte for each pixel: (19595 R + 38470 G + 7471 B + 2^15) / 2^16, the luma
// of ITU-R BT.601. Grey stays as it is.
std::vector<std::uint8_t> Grey(const Image& image);

}  // namespace hone
