#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone {

// Images of one size with their class numbers; pixels row major [N,H,W].
struct LabelledImages {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
};

// Fashion-MNIST (Xiao et al. 2017). Its 60,000 training images have no dev
// split: the last 5,000 are that here.
struct FashionMnist {
  LabelledImages train;
  LabelledImages dev;
  LabelledImages test;  // only where asked for, and then alone
};

// Throws: Error{kNotFound} naming the Debian package, Error{kIntegrity} when a
// file is damaged or not of the known size.
FashionMnist ReadFashionMnist(bool test);
// "t-shirt", "trouser" ... in the order of the labels.
const std::vector<std::string>& FashionMnistClasses();

// Images and labels as a pair of IDX files. Throws Error{kUsage} naming the
// file that does not fit the other.
LabelledImages ReadIdxImages(const std::string& images_path,
                             const std::string& labels_path);

}  // namespace hone
