#include "train/data/idx.h"

#include <cmath>
#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/deflate.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

using namespace std::string_literals;

IdxArray Read(const std::string& bytes) {
  const ScratchFolder folder;
  std::ofstream(folder / "a", std::ios::binary) << bytes;
  return ReadIdx(folder / "a");
}

// 2 x 3.
const std::string kGood = "\0\0\x08\2\0\0\0\2\0\0\0\3\0\1\2\3\4\xFF"s;

TEST(ReadIdx, ReadsPlainAndGzip) {
  const std::size_t half = 9;
  for (const std::string& bytes : {kGood, Deflated(kGood, true),
                                   Deflated(kGood.substr(0, half), true) +
                                       Deflated(kGood.substr(half), true)}) {
    const IdxArray array = Read(bytes);
    EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(array.values, (std::vector<std::uint8_t>{0, 1, 2, 3, 4, 255}));
  }
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* message;
};

const BadFile kBadFiles[] = {
    {"Empty", "", "a: byte 0: the file ends within its header"},
    {"Text", "text", "a: byte 0: no IDX file"},
    {"Floats", "\0\0\x0D\1\0\0\0\1\0\0\0\0"s, "a: byte 2: values other than"},
    {"NoDimensions", "\0\0\x08\0\1"s, "a: byte 3: no dimensions"},
    {"CutHeader", kGood.substr(0, 10), "a: byte 10: the file ends within"},
    {"CutValues", kGood.substr(0, 17),
     "a: byte 12: 5 values; the shape 2 x 3 needs 6"},
    {"TooManyValues", kGood + "x",
     "a: byte 12: 7 values; the shape 2 x 3 needs 6"},
    {"Zero", "\0\0\x08\2\0\0\0\0\xFF\xFF\xFF\xFF"s,
     "a: byte 4: a dimension of size 0"},
    {"TooLarge", "\0\0\x08\1\x40\0\0\1"s, "a: byte 4: more than 1 GiB"},
    // 2^16 * 2^16 * 2^16 * 2^16 is 0 modulo 2^64.
    {"Overflow", "\0\0\x08\4\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0"s,
     "a: byte 8: more than 1 GiB"},
    {"CutGzip", Deflated(kGood, true).substr(0, 20),
     "a: gzip member at byte 0: the compressed data is cut off"},
    {"DamagedGzip", "\x1F\x8B\x08 this is no gzip, whatever its first bytes",
     "a: gzip member at byte 0: damaged compressed data"},
    {"BytesAfterGzip", Deflated(kGood, true) + "text",
     "damaged compressed data"},
};

class RefuseBadIdx : public ::testing::TestWithParam<BadFile> {};

TEST_P(RefuseBadIdx, NamesFileAndByte) {
  ExpectError(ErrorCode::kUsage, GetParam().message,
              [] { Read(GetParam().bytes); });
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadIdx, ::testing::ValuesIn(kBadFiles),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

TEST(ReadIdx, NamesAMissingFile) {
  ExpectError(ErrorCode::kNotFound, "none.gz: no such file",
              [] { ReadIdx("none.gz"); });
}

// What the authors say of their data, and what is often told of its pixels.
TEST(ReadIdx, ReadsTheInstalledFashionMnist) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
  }
  const std::filesystem::path folder = FashionMnistFolder();
  const IdxArray train = ReadIdx(folder / "train-images-idx3-ubyte.gz");
  EXPECT_EQ(train.shape, (std::vector<std::int64_t>{60000, 28, 28}));
  double sum = 0, squares = 0;
  for (const std::uint8_t value : train.values) {
    sum += value / 255.0;
    squares += value / 255.0 * value / 255.0;
  }
  const double mean = sum / static_cast<double>(train.values.size());
  EXPECT_NEAR(mean, 0.2860, 5e-5);
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(train.values.size()) -
                        mean * mean),
              0.3530, 5e-5);
  const IdxArray test = ReadIdx(folder / "t10k-images-idx3-ubyte.gz");
  EXPECT_EQ(test.shape, (std::vector<std::int64_t>{10000, 28, 28}));
  for (const auto& [file, each] :
       {std::pair("train-labels-idx1-ubyte.gz", 6000),
        std::pair("t10k-labels-idx1-ubyte.gz", 1000)}) {
    const IdxArray labels = ReadIdx(folder / file);
    EXPECT_EQ(labels.shape, (std::vector<std::int64_t>{each * 10}));
    std::vector<int> counts(10);
    for (const std::uint8_t label : labels.values) ++counts.at(label);
    EXPECT_EQ(counts, std::vector<int>(10, each)) << file;
  }
}

}  // namespace
}  // namespace hone
