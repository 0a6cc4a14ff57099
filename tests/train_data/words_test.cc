#include "train/data/words.h"

#include <cstdint>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/rng.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kMany = 1000;

TEST(SplitWords, SeparatesLettersDigitsAndMarks) {
  EXPECT_THAT(SplitWords("The dog's 2nd bone (1984).", kMany),
              ElementsAre("the", "dog", "'", "s", "2", "nd", "bone", "(",
                          "1984", ")", "."));
  EXPECT_THAT(SplitWords("...", kMany), ElementsAre(".", ".", "."));
  EXPECT_THAT(SplitWords(" \t\r\n\x7F", kMany), IsEmpty());
  EXPECT_THAT(SplitWords("", kMany), IsEmpty());
}

TEST(SplitWords, KeepsLettersBeyondAsciiInWords) {
  EXPECT_THAT(SplitWords("Äpfel für ÉLÈVES", kMany),
              ElementsAre("äpfel", "für", "élèves"));
  EXPECT_THAT(SplitWords("Москва ΑΘΗΝΑ Ștefan", kMany),
              ElementsAre("москва", "αθηνα", "ștefan"));
  // An accent that is a character of its own.
  EXPECT_THAT(SplitWords("cafe\u0301 x", kMany),
              ElementsAre("cafe\u0301", "x"));
}

TEST(SplitWords, SeparatesMarksBlanksAndIdeographsBeyondAscii) {
  EXPECT_THAT(
      SplitWords("“so”—he…said\u00A0¿qué?", kMany),
      ElementsAre("“", "so", "”", "—", "he", "…", "said", "¿", "qué", "?"));
  EXPECT_THAT(SplitWords("中文 ab🙂", kMany),
              ElementsAre("中", "文", "ab", "🙂"));
}

TEST(SplitWords, StopsAtTheBound) {
  EXPECT_THAT(SplitWords("one two three", 2), ElementsAre("one", "two"));
  EXPECT_THAT(SplitWords("one two", 2), ElementsAre("one", "two"));
  EXPECT_THAT(SplitWords("one", 0), IsEmpty());
}

TEST(SplitWords, MakesWellFormedWordsOfAnyBytes) {
  Rng rng(1);
  for (int round = 0; round < 500; ++round) {
    std::string bytes(rng.Below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.Below(256));
    for (const std::string& word : SplitWords(bytes, kMany)) {
      EXPECT_FALSE(word.empty());
      EXPECT_TRUE(IsUtf8(word));
    }
  }
}

TEST(LowerCase, LeavesLowerCaseAlone) {
  // Mapping twice is mapping once: no upper case is the image of another.
  for (char32_t c = 0; c < 0x3000; ++c) {
    EXPECT_EQ(LowerCase(LowerCase(c)), LowerCase(c)) << std::uint32_t{c};
  }
  EXPECT_EQ(LowerCase(U'ß'), U'ß');
  EXPECT_EQ(LowerCase(U'Ÿ'), U'ÿ');
  EXPECT_EQ(LowerCase(U'×'), U'×');
}

TEST(Utf8, DecodesWhatItEncodes) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    const std::string bytes = EncodeUtf8(c) + "x";
    const CodePoint point = DecodeUtf8(bytes);
    ASSERT_TRUE(point.valid) << std::uint32_t{c};
    ASSERT_EQ(point.value, c);
    ASSERT_EQ(point.bytes + 1, bytes.size());
  }
}

TEST(Utf8, RefusesWhatRfc3629Refuses) {
  for (const std::string_view good :
       {"", "plain", "\u0080\u07FF\u0800\uFFFF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  const std::string_view bad[] = {
      "\x80",              // a tail without a head
      "\xC3",              // cut off
      "\xE2\x82",          // cut off
      "\xC0\xAF",          // overlong
      "\xE0\x80\xAF",      // overlong
      "\xF0\x80\x80\xAF",  // overlong
      "\xED\xA0\x80",      // a surrogate
      "\xF4\x90\x80\x80",  // above U+10FFFF
      "\xF8\x88\x80\x80\x80",
      "\xFF",
  };
  for (const std::string_view text : bad) {
    EXPECT_FALSE(IsUtf8(text));
    EXPECT_FALSE(DecodeUtf8(text).valid);
    EXPECT_EQ(DecodeUtf8(text).bytes, 1u);
  }
}

}  // namespace
}  // namespace hone
