#include "train/data/utf8.h"

#include "space/base/error.h"

namespace hone {
namespace {

constexpr CodePoint kInvalid = {0xFFFD, 1, false};

std::size_t SequenceLength(unsigned first) {
  if (first < 0x80) return 1;
  if ((first & 0xE0) == 0xC0) return 2;
  if ((first & 0xF0) == 0xE0) return 3;
  if ((first & 0xF8) == 0xF0) return 4;
  return 0;
}

}  // namespace

CodePoint DecodeUtf8(std::string_view text) {
  HONE_CHECK(!text.empty());
  const auto at = [&](std::size_t i) -> char32_t {
    return static_cast<unsigned char>(text[i]);
  };
  const std::size_t length = SequenceLength(at(0));
  if (length == 0 || length > text.size()) return kInvalid;
  char32_t value = length == 1 ? at(0) : at(0) & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return kInvalid;
    value = value << 6 | (at(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || value > 0x10FFFF || surrogate) {
    return kInvalid;
  }
  return {value, length, true};
}

std::string EncodeUtf8(char32_t value) {
  HONE_CHECK(value <= 0x10FFFF);
  if (value < 0x80) return std::string(1, static_cast<char>(value));
  const auto tail = [&](int shift) {
    return static_cast<char>(0x80 | (value >> shift & 0x3F));
  };
  if (value < 0x800) return {static_cast<char>(0xC0 | value >> 6), tail(0)};
  if (value < 0x10000) {
    return {static_cast<char>(0xE0 | value >> 12), tail(6), tail(0)};
  }
  return {static_cast<char>(0xF0 | value >> 18), tail(12), tail(6), tail(0)};
}

std::vector<std::string_view> SplitCharacters(std::string_view text) {
  std::vector<std::string_view> characters;
  while (!text.empty()) {
    const std::size_t bytes = DecodeUtf8(text).bytes;
    characters.push_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return characters;
}

std::size_t Utf8Prefix(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const CodePoint point = DecodeUtf8(bytes.substr(at));
    if (!point.valid) break;
    at += point.bytes;
  }
  return at;
}

bool IsUtf8(std::string_view bytes) {
  return Utf8Prefix(bytes) == bytes.size();
}

}  // namespace hone
