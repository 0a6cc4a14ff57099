#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// One character of a text, and how many bytes it takes.
struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;
  bool valid = false;
};

// The first character of `text` by RFC 3629: no overlong forms, no surrogates,
// at most U+10FFFF. A byte that begins no well-formed sequence reads as one
// invalid U+FFFD. Requires: text is not empty.
CodePoint DecodeUtf8(std::string_view text);

// The bytes of a character. Requires: a code point that DecodeUtf8 can yield.
std::string EncodeUtf8(char32_t value);

// The characters of a text, as DecodeUtf8 cuts them; they point into it.
std::vector<std::string_view> SplitCharacters(std::string_view text);

// How many bytes from the first on are well-formed UTF-8 (RFC 3629).
std::size_t Utf8Prefix(std::string_view bytes);

// Whether all of the bytes are well-formed UTF-8 (RFC 3629).
bool IsUtf8(std::string_view bytes);

}  // namespace hone
