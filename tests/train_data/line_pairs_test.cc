#include "train/data/line_pairs.h"

#include <fstream>
#include <tuple>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/expect_error.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

using namespace std::string_literals;
using Pair = std::tuple<std::int64_t, std::string, std::string>;

void Write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<Pair> Plain(const std::vector<TextPair>& pairs) {
  std::vector<Pair> plain;
  for (const TextPair& pair : pairs) {
    plain.emplace_back(pair.line, pair.source, pair.target);
  }
  return plain;
}

std::vector<Pair> ReadLines(const std::string& source,
                            const std::string& target) {
  const ScratchFolder folder;
  Write(folder / "a.es", source);
  Write(folder / "a.en", target);
  return Plain(ReadLinePairs(folder / "a.es", folder / "a.en"));
}

TEST(ReadLinePairs, PairsTheLines) {
  const std::vector<Pair> expected = {{1, "uno", "one"}, {2, " dos ", "two\t"}};
  EXPECT_EQ(ReadLines("uno\n dos \n", "one\ntwo\t\n"), expected);
  EXPECT_EQ(ReadLines("\xEF\xBB\xBFuno\r\n dos \r\n", "one\ntwo\t"), expected);
}

struct BadLines {
  const char* name;
  std::string source, target;
  const char* message;
};

const BadLines kBadLines[] = {
    {"MoreSources", "a\nb\nc\n", "A\n", "a.es:2: 3 lines, and "},
    {"MoreTargets", "a\n", "A\nB\n", "a.en has 2; line by line"},
    {"EmptySource", "a\n\nc\n", "A\nB\nC\n", "a.es:2: an empty line; drop"},
    {"BlankTarget", "a\nb\nc\n", "A\nB\n \t\n", "a.en:3: an empty line; drop"},
    {"NoSource", "", "A\n", "a.es:1: the file is empty"},
    {"NoTarget", "a\n", "\xEF\xBB\xBF", "a.en:1: the file is empty"},
    {"Latin1", "a\nb\n", "A\ncaf\xE9\n", "a.en:2: is not valid UTF-8"},
    {"Nul", "a\n\0\n"s, "A\nB\n", "a.es:2: holds a NUL byte"},
};

class RefuseBadLines : public ::testing::TestWithParam<BadLines> {};

TEST_P(RefuseBadLines, NamesFileAndLine) {
  ExpectError(ErrorCode::kUsage, GetParam().message,
              [] { ReadLines(GetParam().source, GetParam().target); });
}

template <typename Case>
std::string NameOf(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadLines, ::testing::ValuesIn(kBadLines),
                         NameOf<BadLines>);

TEST(ReadLinePairs, NamesAMissingFile) {
  const ScratchFolder folder;
  Write(folder / "a.es", "a\n");
  ExpectError(ErrorCode::kNotFound, "a.en: no such file",
              [&] { ReadLinePairs(folder / "a.es", folder / "a.en"); });
}

TEST(ReadPairRows, ReadsTwoColumns) {
  const ScratchFolder folder;
  Write(folder / "a.tsv", "id\ten\tes\n1\tone\tuno\n2\ttwo\tdos\n");
  EXPECT_EQ(Plain(ReadPairRows(folder / "a.tsv", "es", "en")),
            (std::vector<Pair>{{2, "uno", "one"}, {3, "dos", "two"}}));
  Write(folder / "a.csv", "en,es\n\"one, or\ntwo\",uno\nthree,tres\n");
  EXPECT_EQ(
      Plain(ReadPairRows(folder / "a.csv", "es", "en")),
      (std::vector<Pair>{{2, "uno", "one, or\ntwo"}, {4, "tres", "three"}}));
  Write(folder / "a.jsonl", "{\"es\":\"uno\",\"en\":\"one\"}\n");
  EXPECT_EQ(Plain(ReadPairRows(folder / "a.jsonl", "es", "en")),
            (std::vector<Pair>{{1, "uno", "one"}}));
}

struct BadRows {
  const char* name;
  std::string bytes;
  const char* message;
};

const BadRows kBadRows[] = {
    {"NoColumn", "es\ten_US\nuno\tone\n", "a.tsv:1: no column 'en'"},
    {"EmptySource", "es\ten\n \tone\n", "a.tsv:2: the source is empty"},
    {"EmptyTarget", "es\ten\nuno\t\n", "a.tsv:2: the target is empty"},
    {"Fields", "es\ten\nuno\n", "a.tsv:2: 1 field; the header has 2"},
    {"NoRows", "es\ten\n", "a.tsv:1: holds no examples"},
};

class RefuseBadPairs : public ::testing::TestWithParam<BadRows> {};

TEST_P(RefuseBadPairs, NamesFileAndLine) {
  const ScratchFolder folder;
  Write(folder / "a.tsv", GetParam().bytes);
  ExpectError(ErrorCode::kUsage, GetParam().message,
              [&] { ReadPairRows(folder / "a.tsv", "es", "en"); });
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadPairs, ::testing::ValuesIn(kBadRows),
                         NameOf<BadRows>);

TEST(ReadPairRows, RefusesOneColumnForBoth) {
  ExpectError(ErrorCode::kUsage, "a.tsv: 'en' is named as the column of",
              [] { ReadPairRows("a.tsv", "en", "en"); });
}

TEST(ReadTextFiles, JoinsTheFiles) {
  const ScratchFolder folder;
  Write(folder / "a", "\xEF\xBB\xBFone\r\n");
  Write(folder / "b", "\u00E9\u4E16");
  Write(folder / "c", "\xF0\x9F\x98\x80\n");
  EXPECT_EQ(ReadTextFiles({folder / "a", folder / "b", folder / "c"}),
            "one\r\n\u00E9\u4E16\U0001F600\n");
}

const BadRows kBadTexts[] = {
    {"Empty", "", "bad: byte 0: the file is empty"},
    {"OnlyMark", "\xEF\xBB\xBF", "bad: byte 3: the file is empty"},
    {"Latin1", "caf\xE9!", "bad: byte 3: not valid UTF-8; save"},
    {"CutCharacter", "\u00E9\xE4\xB8", "bad: byte 2: not valid UTF-8"},
    {"Utf16", "a\0b\0"s, "bad: byte 1: a NUL byte"},
    {"First", "a\xFF\0"s, "bad: byte 1: not valid UTF-8"},
};

class RefuseBadTexts : public ::testing::TestWithParam<BadRows> {};

TEST_P(RefuseBadTexts, NamesFileAndByte) {
  const ScratchFolder folder;
  Write(folder / "good", "good");
  Write(folder / "bad", GetParam().bytes);
  ExpectError(ErrorCode::kUsage, GetParam().message, [&] {
    ReadTextFiles({folder / "good", folder / "bad"});
  });
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadTexts, ::testing::ValuesIn(kBadTexts),
                         NameOf<BadRows>);

TEST(ReadTextFiles, NamesWhatIsMissing) {
  ExpectError(ErrorCode::kNotFound, "none: no such file",
              [] { ReadTextFiles({"none"}); });
  ExpectError(ErrorCode::kUsage, "no text files: name at least one",
              [] { ReadTextFiles({}); });
}

TEST(Utf8Prefix, EndsBeforeTheFirstBadByte) {
  EXPECT_EQ(Utf8Prefix(""), 0u);
  EXPECT_EQ(Utf8Prefix("\u00E9t\u00E9"), 5u);
  EXPECT_EQ(Utf8Prefix("\u00E9\xC0\x80"), 2u);
}

}  // namespace
}  // namespace hone
