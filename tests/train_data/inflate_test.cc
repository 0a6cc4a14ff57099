#include "train/data/inflate.h"

#include "tests/train_data/deflate.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

TEST(Inflate, ReadsZlibAndGzip) {
  // Incompressible and highly compressible, around the size of a step.
  for (const std::size_t size : {0, 1, 65535, 65536, 65537, 1000000}) {
    std::string noise(size, '\0');
    std::uint32_t state = 1;
    for (char& c : noise) {
      state = state * 1664525 + 1013904223;
      c = static_cast<char>(state >> 24);
    }
    for (const std::string& bytes : {noise, std::string(size, 'a')}) {
      for (const bool gzip : {false, true}) {
        const std::string packed = Deflated(bytes, gzip);
        const Inflated inflated = Inflate(packed + "rest", size, "here");
        EXPECT_EQ(inflated.bytes, bytes) << size;
        EXPECT_EQ(inflated.used, packed.size());
      }
    }
  }
}

TEST(Inflate, RefusesMoreThanAllowed) {
  const std::string packed = Deflated(std::string(100 << 20, 'a'));
  ExpectError(ErrorCode::kUsage, "here: inflates to more than 1000 bytes",
              [&] { Inflate(packed, 1000, "here"); });
}

TEST(Inflate, RefusesEveryCut) {
  for (const bool gzip : {false, true}) {
    const std::string packed = Deflated("some text, and some text", gzip);
    for (std::size_t size = 0; size < packed.size(); ++size) {
      ExpectError(ErrorCode::kUsage,
                  "here: the compressed data is cut off after " +
                      std::to_string(size) + " bytes",
                  [&] { Inflate(packed.substr(0, size), 100, "here"); });
    }
  }
}

TEST(Inflate, RefusesDamage) {
  std::string packed = Deflated("some text, and some text");
  packed.back() = static_cast<char>(packed.back() ^ 1);
  ExpectError(ErrorCode::kUsage, "incorrect data check",
              [&] { Inflate(packed, 100, "here"); });
  ExpectError(ErrorCode::kUsage, "here: damaged compressed data at byte",
              [&] { Inflate("no stream at all", 100, "here"); });
}

}  // namespace
}  // namespace hone
