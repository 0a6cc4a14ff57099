#include <algorithm>
#include <cmath>

#include "space/base/error.h"
#include "train/data/image_file.h"
#include "train/data/image_folder.h"
#include "train/data/task.h"
#include "train/data/tasks/fashion_mnist.h"

namespace hone {
namespace {

constexpr std::int64_t kMostShift = 2;

// What pixels are brought to mean 0 and deviation 1 with; of the training
// split.
float Scaled(std::uint8_t pixel, const PixelScale& scale) {
  return static_cast<float>((pixel / 255.0 - scale.mean) / scale.deviation);
}

PixelScale ScaleOf(const LabelledImages& images) {
  double sum = 0;
  double squares = 0;
  for (const std::uint8_t pixel : images.pixels) {
    sum += pixel / 255.0;
    squares += pixel / 255.0 * (pixel / 255.0);
  }
  const auto count = static_cast<double>(images.pixels.size());
  const double mean = sum / count;
  return {mean, std::max(std::sqrt(squares / count - mean * mean), 1e-6)};
}

// How the image is moved and mirrored before it is cut into patches.
struct Motion {
  std::int64_t down = 0;
  std::int64_t right = 0;
  bool flip = false;
};

// The pixel that each number of the patches is: patches row by row, pixels of
// a patch row by row. -1: outside.
std::vector<std::int64_t> PatchOrder(const TaskOptions& options,
                                     std::int64_t height, std::int64_t width,
                                     const Motion& motion) {
  const auto [down, right, flip] = motion;
  const std::int64_t overlap = options.patch_overlap;
  const std::int64_t side = PatchSide(options);
  std::vector<std::int64_t> order;
  for (std::int64_t top = 0; top < height; top += options.patch) {
    for (std::int64_t left = 0; left < width; left += options.patch) {
      for (std::int64_t i = 0; i < side * side; ++i) {
        const std::int64_t y = top - overlap + i / side + down;
        const std::int64_t x = left - overlap + i % side + right;
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        order.push_back(inside ? y * width + (flip ? width - 1 - x : x) : -1);
      }
    }
  }
  return order;
}

// The same in terms of the numbers of an image that is in patches already.
std::vector<std::vector<std::int64_t>> Variants(const TaskOptions& options,
                                                std::int64_t height,
                                                std::int64_t width) {
  if (options.augmentation == "none") return {};
  const std::vector<std::int64_t> plain =
      PatchOrder(options, height, width, {});
  std::vector<std::int64_t> place(static_cast<std::size_t>(height * width));
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (plain[i] < 0) continue;
    place[static_cast<std::size_t>(plain[i])] = static_cast<std::int64_t>(i);
  }
  const std::int64_t most =
      options.augmentation == "flip-shift" ? kMostShift : 0;
  std::vector<std::vector<std::int64_t>> variants;
  for (std::int64_t down = -most; down <= most; ++down) {
    for (std::int64_t right = -most; right <= most; ++right) {
      for (const bool flip : {false, true}) {
        auto order = PatchOrder(options, height, width, {down, right, flip});
        for (std::int64_t& pixel : order) {
          if (pixel >= 0) pixel = place[static_cast<std::size_t>(pixel)];
        }
        variants.push_back(std::move(order));
      }
    }
  }
  return variants;
}

TaskData ToPatches(const LabelledImages& images, const TaskOptions& options,
                   const PixelScale& scale) {
  if (images.height % options.patch != 0 || images.width % options.patch != 0) {
    throw Error(ErrorCode::kUsage,
                "task.patch: " + std::to_string(options.patch) +
                    " does not divide the images' height " +
                    std::to_string(images.height) + " and width " +
                    std::to_string(images.width));
  }
  const std::vector<std::int64_t> order =
      PatchOrder(options, images.height, images.width, {});
  const float blank = Scaled(0, scale);
  const std::size_t pixels_per_image =
      static_cast<std::size_t>(images.height * images.width);
  TaskData data;
  data.labels = images.labels;
  data.frames.width = PatchSide(options) * PatchSide(options);
  data.frames.count =
      static_cast<std::int64_t>(order.size()) / data.frames.width;
  data.frames.values.reserve(images.labels.size() * order.size());
  for (std::size_t row = 0; row < images.labels.size(); ++row) {
    const std::uint8_t* pixels = &images.pixels[row * pixels_per_image];
    for (const std::int64_t pixel : order) {
      data.frames.values.push_back(pixel < 0 ? blank
                                             : Scaled(pixels[pixel], scale));
    }
  }
  return data;
}

// "a.png: height 1 and width 4; the model reads 28 and 28".
void CheckSize(const std::string& what, std::int64_t height, std::int64_t width,
               const std::string& right, const TaskOptions& options) {
  if (height == options.image_height && width == options.image_width) return;
  throw Error(ErrorCode::kUsage,
              what + " height " + std::to_string(height) + " and width " +
                  std::to_string(width) + "; " + right + " " +
                  std::to_string(options.image_height) + " and " +
                  std::to_string(options.image_width));
}

// A pair of IDX files joined by ':', or a folder with a folder for each class.
LabelledImages OwnImages(const TaskOptions& options, const std::string& path,
                         const char* key, std::vector<std::string>& classes) {
  if (path.empty()) {
    throw Error(ErrorCode::kUsage,
                std::string("task.") + key +
                    ": missing; name a folder with a folder of images for each "
                    "class, or IDX files as IMAGES:LABELS");
  }
  const std::size_t colon = path.find(':');
  if (colon != std::string::npos) {
    LabelledImages images =
        ReadIdxImages(path.substr(0, colon), path.substr(colon + 1));
    CheckSize(path + ": images of", images.height, images.width,
              "task.image_height and task.image_width say", options);
    const auto most =
        std::max_element(images.labels.begin(), images.labels.end());
    for (std::int64_t i = static_cast<std::int64_t>(classes.size());
         most != images.labels.end() && i <= *most; ++i) {
      classes.push_back(std::to_string(i));
    }
    return images;
  }
  LabelledImages images{options.image_height, options.image_width, {}, {}};
  const auto read =
      ReadImageFolder(path, options.image_height, options.image_width, 1);
  if (classes.empty()) {
    std::vector<std::string> labels;
    for (const LabelledImage& image : read) labels.push_back(image.label);
    classes = ClassNames(labels);
  }
  for (const LabelledImage& image : read) {
    images.labels.push_back(ClassNumber(classes, image.label, image.file));
    images.pixels.insert(images.pixels.end(), image.pixels.begin(),
                         image.pixels.end());
  }
  return images;
}

// `images` came with the classes behind the first `known`.
void CheckLabels(const std::vector<std::string>& classes, std::size_t known,
                 const std::string& images, const TaskOptions& options) {
  if (classes.size() == known) return;
  throw Error(ErrorCode::kUsage,
              images + ": has a label above " + std::to_string(known - 1) +
                  ", which does not occur in " + options.train);
}

struct ImageSplits {
  LabelledImages train;
  LabelledImages dev;
  std::vector<std::string> classes;
};

ImageSplits LoadImages(const TaskOptions& options) {
  if (options.train.empty()) {
    FashionMnist images = ReadFashionMnist(/*test=*/false);
    return {std::move(images.train), std::move(images.dev),
            FashionMnistClasses()};
  }
  ImageSplits splits;
  splits.train = OwnImages(options, options.train, "train", splits.classes);
  const std::size_t known = splits.classes.size();
  splits.dev = OwnImages(options, options.dev, "dev", splits.classes);
  CheckLabels(splits.classes, known, options.dev, options);
  return splits;
}

class ImageClassification : public Task {
 public:
  PreparedData Prepare(const TaskOptions& options,
                       const TaskTools&) const override {
    ImageSplits images = LoadImages(options);
    PreparedData data;
    data.pixels = ScaleOf(images.train);
    data.train = ToPatches(images.train, options, data.pixels);
    data.train.frames.variants =
        Variants(options, images.train.height, images.train.width);
    data.train.frames.blank = Scaled(0, data.pixels);
    data.dev = ToPatches(images.dev, options, data.pixels);
    data.classes = std::move(images.classes);
    data.shape.vocabulary = 0;
    data.shape.features = data.train.frames.width;
    data.shape.max_tokens = data.train.frames.count;
    return data;
  }

  TaskData TestSplit(const TaskOptions& options, const TaskTools&,
                     const Preparation& known) const override {
    if (options.train.empty()) {
      return ToPatches(ReadFashionMnist(/*test=*/true).test, options,
                       known.pixels);
    }
    std::vector<std::string> classes = known.classes;
    const LabelledImages test =
        OwnImages(options, options.test, "test", classes);
    CheckLabels(classes, known.classes.size(), options.test, options);
    return ToPatches(test, options, known.pixels);
  }

  TaskData Example(const TaskOptions& options, const TaskTools&,
                   const Preparation& known,
                   const std::string& file) const override {
    const Image image = ReadImage(file);
    CheckSize(file + ":", image.height, image.width, "the model reads",
              options);
    return ToPatches({image.height, image.width, Grey(image), {0}}, options,
                     known.pixels);
  }
};

}  // namespace

std::unique_ptr<Task> MakeImageClassification() {
  return std::make_unique<ImageClassification>();
}

}  // namespace hone
