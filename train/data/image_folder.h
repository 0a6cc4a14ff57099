#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hone {

struct LabelledImage {
  std::vector<std::uint8_t> pixels;  // row major, the channels last
  std::string label;
  std::string file;
};

// Reads a folder with a folder of PNG and JPEG files (.png, .jpg, .jpeg) for
// each class, in the order of ListClassFolders (train/data/class_folders.h).
// All are turned into 1 channel (grey) or 3 (red, green, blue) as
// train/data/image_file.h says, and none is scaled.
// Requires: `channels` is 1 or 3.
// Throws: Error{kUsage} naming the file: an image of another size (names both),
// what ListClassFolders or ReadImage refuse; Error{kNotFound} naming the
// folder.
std::vector<LabelledImage> ReadImageFolder(const std::filesystem::path& folder,
                                           std::int64_t height,
                                           std::int64_t width,
                                           std::int64_t channels);

}  // namespace hone
