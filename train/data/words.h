#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// The first `max_words` words of a text, lower-cased: a run of letters, a run
// of ASCII digits, or one other visible character. Beyond ASCII every character
// counts as a letter except common punctuation, symbols and emoji and the
// ideographs of Chinese and Japanese, which stand alone, and blanks. Upper case
// is known in Latin, Greek, Cyrillic and Armenian. Malformed UTF-8 reads as
// U+FFFD, so every word is well-formed UTF-8. It does not normalize and knows
// no language.
std::vector<std::string> SplitWords(std::string_view text,
                                    std::int64_t max_words);

// The lower case of a character by Unicode's simple mapping, or the character
// itself where it has none or is of a script not named above.
char32_t LowerCase(char32_t c);

}  // namespace hone
