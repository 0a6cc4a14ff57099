#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/half.h"
#include "space/base/rng.h"
#include "space/base/tensor_data.h"

namespace hone {
namespace {

SafeTensors Example() {
  SafeTensors content;
  content.tensors["b"] = TensorData::FromFloats({2, 3}, {1, 2, 3, 4, 5, 6});
  content.tensors["a"] = {DType::kU8, {3}, std::vector<std::byte>(3)};
  content.tensors["scalar"] = TensorData::FromFloats({}, {7});
  content.tensors["empty"] = TensorData::FromFloats({0, 4}, {});
  content.metadata["k"] = "v";
  return content;
}

std::string File(const std::string& header, std::size_t buffer) {
  std::string bytes(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + std::string(buffer, 'x');
}

TEST(SafeTensors, RoundTrip) {
  const ScratchFolder folder;
  const auto path = folder / "t.safetensors";
  WriteSafeTensors(path, Example());
  const SafeTensors read = ReadSafeTensors(path);
  EXPECT_EQ(read.tensors, Example().tensors);
  EXPECT_EQ(read.metadata, Example().metadata);
  EXPECT_EQ(SerializeSafeTensors(read), ReadFile(path));
}

TEST(SafeTensors, RefusesEveryTruncation) {
  const ScratchFolder folder;
  const std::string whole = SerializeSafeTensors(Example());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    WriteFileAtomic(folder / "t", whole.substr(0, size));
    EXPECT_THROW(ReadSafeTensors(folder / "t"), Error) << size;
  }
}

TEST(SafeTensors, BitFlipsInTheHeaderAreRefusedOrHarmless) {
  const ScratchFolder folder;
  const std::string whole = SerializeSafeTensors(Example());
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  for (std::size_t bit = 0; bit < (8 + header) * 8; bit += 3) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    WriteFileAtomic(folder / "t", bytes);
    try {  // a flip inside a name or text stays a valid file
      ReadSafeTensors(folder / "t");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
    }
  }
}

TEST(SafeTensors, RefusesEachDefectByName) {
  const ScratchFolder folder;
  const std::vector<std::pair<std::string, std::string>> defects = {
      {File(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
       "do not match its shape"},
      {File(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
       "overlap or leave a gap"},
      {File(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8),
       "do not fill"},
      {File(R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4),
       "F99"},
      {File(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],)"
            R"("data_offsets":[0,4]}})",
            4),
       "larger than the file"},
      {File(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,4]}})", 4),
       "bad shape"},
      {File(R"({"a":1,"a":2})", 4), "duplicate key"},
      {File(R"({"__metadata__":{"k":1}})", 0), "is no string"},
      {File("[]", 0), "no JSON object"}};
  for (const auto& [bytes, message] : defects) {
    WriteFileAtomic(folder / "t", bytes);
    try {
      ReadSafeTensors(folder / "t");
      FAIL() << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  }
}

// By the definition of binary16, with ldexp alone.
double NumberOfF16(unsigned bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const int fraction = static_cast<int>(bits & 1023);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 31) {
    return fraction ? std::nan("") : sign * HUGE_VAL;
  }
  return sign * (exponent == 0 ? std::ldexp(fraction, -24)
                               : std::ldexp(1024 + fraction, exponent - 25));
}

double NumberOfBf16(unsigned bits) {
  const int exponent = static_cast<int>(bits >> 7 & 255);
  const int fraction = static_cast<int>(bits & 127);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 255) {
    return fraction ? std::nan("") : sign * HUGE_VAL;
  }
  return sign * (exponent == 0 ? std::ldexp(fraction, -133)
                               : std::ldexp(128 + fraction, exponent - 134));
}

void ExpectSameNumber(float actual, double expected, unsigned bits) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << bits;
  } else {
    EXPECT_EQ(actual, expected) << bits;
    EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << bits;
  }
}

TEST(Half, EveryPatternBecomesItsNumber) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    ExpectSameNumber(FromF16(half), NumberOfF16(bits), bits);
    ExpectSameNumber(FromBf16(half), NumberOfBf16(bits), bits);
  }
}

// Between two neighbours the nearer one, halfway the even one.
TEST(Half, RoundsToTheNearestBf16) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = FromBf16(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(FromBf16(ToBf16(value)))) << bits;
      continue;
    }
    EXPECT_EQ(ToBf16(value), half);
    const float next = FromBf16(static_cast<std::uint16_t>(bits + 1));
    if (!std::isfinite(value) || !std::isfinite(next)) continue;
    const float middle = value + (next - value) / 2;
    EXPECT_EQ(ToBf16(middle), bits + bits % 2) << bits;
    EXPECT_EQ(ToBf16(std::nextafter(middle, value)), bits) << bits;
    EXPECT_EQ(ToBf16(std::nextafter(middle, next)), bits + 1) << bits;
  }
  EXPECT_EQ(FromBf16(ToBf16(std::numeric_limits<float>::max())), HUGE_VALF);
  EXPECT_TRUE(std::isnan(FromBf16(ToBf16(std::bit_cast<float>(0x7F800001u)))));
}

TEST(SafeTensors, ReadsHalvesAsFloats) {
  const ScratchFolder folder;
  std::string bytes =
      File(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
           R"("b":{"dtype":"BF16","shape":[1,1],"data_offsets":[4,6]}})",
           0);
  // 1.5 and -0.25 in binary16, -3 in bf16.
  bytes += std::string("\x00\x3E\x00\xB4\x40\xC0", 6);
  WriteFileAtomic(folder / "t", bytes);
  const NamedTensors tensors = ReadSafeTensors(folder / "t").tensors;
  EXPECT_EQ(tensors.at("a"), TensorData::FromFloats({2}, {1.5F, -0.25F}));
  EXPECT_EQ(tensors.at("b"), TensorData::FromFloats({1, 1}, {-3}));
  WriteFileAtomic(folder / "t", bytes.substr(0, bytes.size() - 1));
  EXPECT_THROW(ReadSafeTensors(folder / "t"), Error);
}

}  // namespace
}  // namespace hone
