#include "train/data/words.h"

#include <algorithm>
#include <iterator>

#include "train/data/utf8.h"

namespace hone {
namespace {

// Every `step`-th character from first to last has its lower case at +add.
struct CaseRange {
  char32_t first;
  char32_t last;
  char32_t step;
  int add;
};
constexpr CaseRange kCases[] = {
    {0x41, 0x5A, 1, 32},   {0xC0, 0xD6, 1, 32},     {0xD8, 0xDE, 1, 32},
    {0x100, 0x12E, 2, 1},  {0x132, 0x136, 2, 1},    {0x139, 0x147, 2, 1},
    {0x14A, 0x176, 2, 1},  {0x178, 0x178, 1, -121}, {0x179, 0x17D, 2, 1},
    {0x1A0, 0x1A4, 2, 1},  {0x1AF, 0x1AF, 1, 1},    {0x1CD, 0x1DB, 2, 1},
    {0x1DE, 0x1EE, 2, 1},  {0x1F8, 0x21E, 2, 1},    {0x222, 0x232, 2, 1},
    {0x386, 0x386, 1, 38}, {0x388, 0x38A, 1, 37},   {0x38C, 0x38C, 1, 64},
    {0x38E, 0x38F, 1, 63}, {0x391, 0x3A1, 1, 32},   {0x3A3, 0x3AB, 1, 32},
    {0x400, 0x40F, 1, 80}, {0x410, 0x42F, 1, 32},   {0x460, 0x480, 2, 1},
    {0x48A, 0x4BE, 2, 1},  {0x4C1, 0x4CD, 2, 1},    {0x4D0, 0x52E, 2, 1},
    {0x531, 0x556, 1, 48}, {0x1E00, 0x1E94, 2, 1},  {0x1EA0, 0x1EFE, 2, 1},
};

struct Range {
  char32_t first;
  char32_t last;
};
constexpr Range kBlanks[] = {
    {0x00, 0x20},     {0x7F, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200B}, {0x2028, 0x2029}, {0x202F, 0x202F},
    {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
};
// Marks, symbols, emoji, and ideographs (U+3400 and on), which stand alone.
constexpr Range kAlone[] = {
    {0x21, 0x2F},     {0x3A, 0x40},       {0x5B, 0x60},       {0x7B, 0x7E},
    {0xA1, 0xA9},     {0xAB, 0xB4},       {0xB6, 0xB9},       {0xBB, 0xBF},
    {0xD7, 0xD7},     {0xF7, 0xF7},       {0x2010, 0x2BFF},   {0x3001, 0x3004},
    {0x3008, 0x3020}, {0x3030, 0x3030},   {0x3400, 0x9FFF},   {0xF900, 0xFAFF},
    {0xFF01, 0xFF0F}, {0xFF1A, 0xFF20},   {0xFF3B, 0xFF40},   {0xFF5B, 0xFF65},
    {0xFFFD, 0xFFFD}, {0x1F000, 0x1FAFF}, {0x20000, 0x3FFFF},
};

template <std::size_t N>
bool IsIn(const Range (&ranges)[N], char32_t c) {
  return std::any_of(
      std::begin(ranges), std::end(ranges),
      [c](const Range& range) { return c >= range.first && c <= range.last; });
}

enum class Kind { kBlank, kAlone, kLetter, kDigit };

Kind KindOf(char32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::kLetter;
  if (c >= '0' && c <= '9') return Kind::kDigit;
  if (IsIn(kBlanks, c)) return Kind::kBlank;
  return IsIn(kAlone, c) ? Kind::kAlone : Kind::kLetter;
}

}  // namespace

char32_t LowerCase(char32_t c) {
  for (const CaseRange& range : kCases) {
    if (c < range.first) break;
    if (c <= range.last && (c - range.first) % range.step == 0) {
      return static_cast<char32_t>(static_cast<int>(c) + range.add);
    }
  }
  return c;
}

std::vector<std::string> SplitWords(std::string_view text,
                                    std::int64_t max_words) {
  std::vector<std::string> words;
  Kind previous = Kind::kBlank;
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    text.remove_prefix(point.bytes);
    const Kind kind = KindOf(point.value);
    const bool goes_on =
        kind == previous && (kind == Kind::kLetter || kind == Kind::kDigit);
    if (kind != Kind::kBlank && !goes_on) {
      if (static_cast<std::int64_t>(words.size()) == max_words) break;
      words.emplace_back();
    }
    if (kind != Kind::kBlank)
      words.back() += EncodeUtf8(LowerCase(point.value));
    previous = kind;
  }
  return words;
}

}  // namespace hone
