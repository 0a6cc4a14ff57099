#include "train/data/image_folder.h"

#include <utility>

#include "space/base/error.h"
#include "train/data/class_folders.h"
#include "train/data/image_file.h"

namespace hone {
namespace {

std::string Size(std::int64_t height, std::int64_t width) {
  return std::to_string(height) + " x " + std::to_string(width) + " pixels";
}

}  // namespace

std::vector<LabelledImage> ReadImageFolder(const std::filesystem::path& folder,
                                           std::int64_t height,
                                           std::int64_t width,
                                           std::int64_t channels) {
  HONE_CHECK(channels == 1 || channels == 3);
  std::vector<LabelledImage> images;
  for (const LabelledFile& file :
       ListClassFolders(folder, {".png", ".jpg", ".jpeg"})) {
    Image image = ReadImage(file.path);
    if (image.height != height || image.width != width) {
      throw Error(ErrorCode::kUsage,
                  file.path.string() + ": " + Size(image.height, image.width) +
                      " (height x width); " + Size(height, width) +
                      " are needed, so scale the images first");
    }
    images.push_back({channels == 1 ? Grey(image) : std::move(image.pixels),
                      file.label, file.path.string()});
  }
  return images;
}

}  // namespace hone
