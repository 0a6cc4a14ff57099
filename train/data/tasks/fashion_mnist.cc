#include "train/data/tasks/fashion_mnist.h"

#include <filesystem>

#include "space/base/error.h"
#include "train/data/idx.h"

namespace hone {
namespace {

constexpr std::int64_t kDevImages = 5000;

LabelledImages ReadSplit(const std::string& name) {
  const std::filesystem::path folder = FashionMnistFolder();
  return ReadIdxImages((folder / (name + "-images-idx3-ubyte.gz")).string(),
                       (folder / (name + "-labels-idx1-ubyte.gz")).string());
}

LabelledImages Rows(const LabelledImages& images, std::int64_t begin,
                    std::int64_t end) {
  const std::int64_t size = images.height * images.width;
  return {images.height,
          images.width,
          {images.pixels.begin() + begin * size,
           images.pixels.begin() + end * size},
          {images.labels.begin() + begin, images.labels.begin() + end}};
}

}  // namespace

LabelledImages ReadIdxImages(const std::string& images_path,
                             const std::string& labels_path) {
  IdxArray images = ReadIdx(images_path);
  const IdxArray labels = ReadIdx(labels_path);
  if (images.shape.size() != 3) {
    throw Error(ErrorCode::kUsage,
                images_path + ": " + std::to_string(images.shape.size()) +
                    " dimensions; images have 3 (number, height, width)");
  }
  if (labels.shape.size() != 1 || labels.shape[0] != images.shape[0]) {
    throw Error(ErrorCode::kUsage,
                labels_path + ": one label is needed for each of the " +
                    std::to_string(images.shape[0]) + " images of " +
                    images_path);
  }
  return {images.shape[1],
          images.shape[2],
          std::move(images.values),
          {labels.values.begin(), labels.values.end()}};
}

FashionMnist ReadFashionMnist(bool test) {
  FashionMnist data;
  if (test) {
    data.test = ReadSplit("t10k");
    return data;
  }
  const LabelledImages all = ReadSplit("train");
  const auto count = static_cast<std::int64_t>(all.labels.size());
  data.train = Rows(all, 0, count - kDevImages);
  data.dev = Rows(all, count - kDevImages, count);
  return data;
}

const std::vector<std::string>& FashionMnistClasses() {
  static const std::vector<std::string> classes = {
      "t-shirt", "trouser", "pullover", "dress", "coat",
      "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};
  return classes;
}

}  // namespace hone
