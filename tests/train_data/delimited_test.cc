#include "train/data/delimited.h"

#include <fstream>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "space/base/rng.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

using namespace std::string_literals;

// Compared with ==; printed by line and content.
using Row = std::tuple<std::int64_t, std::string, std::string>;

// Not durable, because there are hundreds.
void Write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<Row> Read(const std::filesystem::path& path) {
  std::vector<Row> rows;
  for (const LabelledRow& row : ReadLabelledRows(path, "text", "label")) {
    rows.emplace_back(row.line, row.text, row.label);
  }
  return rows;
}

struct GoodCase {
  const char* name;
  const char* file;
  std::string bytes;
  std::vector<Row> rows;
};

const GoodCase kGood[] = {
    {"TabSeparated",
     "a.tsv",
     "text\tlabel\nan owl\tbird\n\"a\" cat\tcat\n",
     {{2, "an owl", "bird"}, {3, "\"a\" cat", "cat"}}},
    {"OtherOrderAndColumns",
     "a.tsv",
     "id\tlabel\ttext\n1\tbird\tan owl\n",
     {{2, "an owl", "bird"}}},
    {"NoLastLineEnd", "a.tsv", "text\tlabel\nx\ty", {{2, "x", "y"}}},
    {"CrLf", "a.tsv", "text\tlabel\r\nx\ty\r\n", {{2, "x", "y"}}},
    {"ByteOrderMark",
     "a.tsv",
     "\xEF\xBB\xBFtext\tlabel\nx\ty\n",
     {{2, "x", "y"}}},
    {"Commas", "a.csv", "text,label\nx,y\n", {{2, "x", "y"}}},
    {"QuotedComma", "a.csv", "text,label\n\"x, y\",z\n", {{2, "x, y", "z"}}},
    {"DoubledQuote",
     "a.csv",
     "text,label\n\"a \"\"b\"\"\",\"\"\"\"\n",
     {{2, "a \"b\"", "\""}}},
    {"QuotedLineBreak",
     "a.csv",
     "text,label\n\"one\ntwo\r\nthree\",y\nnext,z\n",
     {{2, "one\ntwo\r\nthree", "y"}, {5, "next", "z"}}},
    {"QuotedHeader",
     "a.csv",
     "\"text\",\"label\"\r\n\"x\",\"y\"\r\n",
     {{2, "x", "y"}}},
    {"CsvNoLastLineEnd", "a.csv", "text,label\nx,\"y\"", {{2, "x", "y"}}},
    {"CsvLastLineEndsInCr", "a.csv", "text,label\r\nx,y\r", {{2, "x", "y"}}},
    {"CsvByteOrderMark",
     "a.csv",
     "\xEF\xBB\xBF\"text\",label\nx,y\n",
     {{2, "x", "y"}}},
    {"BlanksAreKept", "a.csv", "text,label\n x ,y \n", {{2, " x ", "y "}}},
    {"EmptyOtherField",
     "a.csv",
     "text,label,id\nx,y,\nz,w,\"\"\n",
     {{2, "x", "y"}, {3, "z", "w"}}},
    {"JsonLines",
     "a.jsonl",
     R"({"text":"x","label":"y"})"
     "\r\n"
     R"({"id":7,"label":"w","text":"a\n\u00e9\tz"})",
     {{1, "x", "y"}, {2, "a\n\u00E9\tz", "w"}}},
    {"JsonByteOrderMark",
     "a.jsonl",
     "\xEF\xBB\xBF{\"text\":\"x\",\"label\":\"y\"}\n",
     {{1, "x", "y"}}},
};

class ReadGoodRows : public ::testing::TestWithParam<GoodCase> {};

TEST_P(ReadGoodRows, YieldsTheRows) {
  const ScratchFolder folder;
  Write(folder / GetParam().file, GetParam().bytes);
  EXPECT_EQ(Read(folder / GetParam().file), GetParam().rows);
}

template <typename Case>
std::string NameOf(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, ReadGoodRows, ::testing::ValuesIn(kGood),
                         NameOf<GoodCase>);

struct BadCase {
  const char* name;
  const char* file;
  std::string bytes;
  const char* message;
};

const std::string kLong((std::size_t{16} << 20) + 1, 'a');

const BadCase kBad[] = {
    {"Extension", "a.txt", "text\tlabel\n", "a.txt: unknown kind of file"},
    {"NoExtension", "tsv", "text\tlabel\n", "unknown kind of file; use .tsv"},
    {"Empty", "a.tsv", "", "a.tsv:1: the file is empty"},
    {"OnlyByteOrderMark", "a.csv", "\xEF\xBB\xBF", ":1: the file is empty"},
    {"OnlyHeader", "a.csv", "text,label\n", ":1: holds no examples"},
    {"UnknownColumn", "a.tsv", "texts\tlabel\nx\ty\n",
     ":1: no column 'text'; did you mean 'texts'?"},
    {"UnknownLabelColumn", "a.csv", "text,Klasse\nx,y\n",
     ":1: no column 'label'; use text or Klasse"},
    {"DuplicateColumn", "a.tsv", "text\tlabel\ttext\nx\ty\tz\n",
     ":1: two columns are named 'text'"},
    {"DuplicateOtherColumn", "a.csv", "text,label,id,id\nx,y,1,2\n",
     ":1: two columns are named 'id'"},
    {"TooFewFields", "a.tsv", "text\tlabel\nx\ty\nx\n",
     "a.tsv:3: 1 field; the header has 2"},
    {"TooManyFields", "a.csv", "text,label\n\"x\ny\",z\nx,y,z\n",
     "a.csv:4: 3 fields; the header has 2"},
    {"EmptyLine", "a.tsv", "text\tlabel\nx\ty\n\n", ":3: an empty line"},
    {"CsvEmptyLine", "a.csv", "text,label\r\n\r\nx,y\r\n", ":2: an empty line"},
    {"EmptyText", "a.tsv", "text\tlabel\n\ty\n", ":2: the text is empty"},
    {"BlankText", "a.csv", "text,label\n\" \n\t\",y\n",
     ":2: the text is empty"},
    {"EmptyLabel", "a.csv", "text,label\nx,\n", ":2: the label is empty"},
    {"BlankLabel", "a.tsv", "text\tlabel\nx\t \n", ":2: the label is empty"},
    {"Nul", "a.tsv", "text\tlabel\nx\0y\tz\n"s, ":2: holds a NUL byte"},
    {"CsvNul", "a.csv", "text,label\nx,y\n\"x\0\",y\n"s,
     ":3: holds a NUL byte"},
    {"Utf16", "a.tsv", "t\0e\0x\0t\0\n"s, ":1: holds a NUL byte"},
    {"Latin1", "a.tsv", "text\tlabel\ncaf\xE9\ty\n", ":2: is not valid UTF-8"},
    {"CsvLatin1", "a.csv", "text,label\nx,\xE9\n", ":2: is not valid UTF-8"},
    {"Latin1InOtherColumn", "a.csv", "text,label,id\nx,y,\xE9\n",
     ":2: is not valid UTF-8"},
    {"UnterminatedQuote", "a.csv", "text,label\nx,y\n\"x,y\nz,w\n",
     ":3: an unterminated quote"},
    {"QuoteInField", "a.csv", "text,label\n5\" nail,y\n",
     ":2: a quote inside an unquoted field"},
    {"TextAfterQuote", "a.csv", "text,label\n\"x\"y,z\n",
     ":2: text after a closing quote"},
    {"CarriageReturnAfterQuote", "a.csv", "text,label\n\"x\"\ry,z\n",
     ":2: text after a closing quote"},
    {"LongLine", "a.tsv", "text\tlabel\nx\ty\n" + kLong + "\ty\n",
     ":3: longer than 16 MiB"},
    {"LongCsvField", "a.csv", "text,label\n\"" + kLong + "\",y\n",
     ":2: longer than 16 MiB"},
    {"LongCsvRow", "a.csv", "text,label\n" + kLong + ",y\n",
     ":2: longer than 16 MiB"},
    {"NoJson", "a.jsonl", "{\"text\":\"x\",\"label\":\"y\"}\n{\"text\":\n",
     "a.jsonl:2: not valid JSON"},
    {"TwoJsonValues", "a.jsonl", "{\"text\":\"x\",\"label\":\"y\"} {}\n",
     ":1: not valid JSON"},
    {"JsonEmptyLine", "a.jsonl", "{\"text\":\"x\",\"label\":\"y\"}\n\n",
     ":2: an empty line"},
    {"JsonArray", "a.jsonl", "[\"x\",\"y\"]\n", ":1: a JSON object is needed"},
    {"JsonUnknownKey", "a.jsonl", "{\"txt\":\"x\",\"label\":\"y\"}\n",
     ":1: no key 'text'; did you mean 'txt'?"},
    {"JsonDuplicateKey", "a.jsonl",
     "{\"text\":\"x\",\"label\":\"y\",\"text\":\"z\"}\n",
     ":1: duplicate key 'text'"},
    {"JsonNumber", "a.jsonl", "{\"text\":\"x\",\"label\":3}\n",
     ":1: 'label' is no string"},
    {"JsonNul", "a.jsonl", "{\"text\":\"x\\u0000\",\"label\":\"y\"}\n",
     ":1: holds a NUL"},
    {"JsonSurrogate", "a.jsonl", "{\"text\":\"\\ud800\",\"label\":\"y\"}\n",
     ":1: not valid JSON"},
    {"JsonLatin1", "a.jsonl", "{\"text\":\"\xE9\",\"label\":\"y\"}\n",
     ":1: is not valid UTF-8"},
    {"JsonEmptyText", "a.jsonl", "{\"text\":\"\",\"label\":\"y\"}\n",
     ":1: the text is empty"},
};

class RefuseBadRows : public ::testing::TestWithParam<BadCase> {};

TEST_P(RefuseBadRows, NamesFileAndLine) {
  const ScratchFolder folder;
  Write(folder / GetParam().file, GetParam().bytes);
  ExpectError(ErrorCode::kUsage, GetParam().message,
              [&] { Read(folder / GetParam().file); });
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadRows, ::testing::ValuesIn(kBad),
                         NameOf<BadCase>);

TEST(ReadLabelledRows, NamesAMissingFile) {
  const ScratchFolder folder;
  ExpectError(ErrorCode::kNotFound, "none.tsv",
              [&] { Read(folder / "none.tsv"); });
}

TEST(ReadLabelledRows, RefusesOneColumnForBoth) {
  const ScratchFolder folder;
  Write(folder / "a.tsv", "text\tlabel\nx\ty\n");
  ExpectError(ErrorCode::kUsage, "'text' is the text column too",
              [&] { ReadLabelledRows(folder / "a.tsv", "text", "text"); });
}

std::string CsvField(const std::string& text) {
  std::string field = "\"";
  for (const char c : text) field += c == '"' ? "\"\"" : std::string(1, c);
  return field + "\"";
}

// Characters that a reader trips over, at random, through a writer that quotes
// every field.
TEST(ReadLabelledRows, ReadsBackAnyQuotedText) {
  const ScratchFolder folder;
  Rng rng(7);
  const std::string characters = "ab ,\"\r\n\t\\;";
  std::string bytes = "label,text\r\n";
  std::vector<std::pair<std::string, std::string>> written;
  for (int row = 0; row < 300; ++row) {
    std::string text = "x";
    for (std::uint64_t i = rng.Below(12); i > 0; --i) {
      text += characters[rng.Below(characters.size())];
    }
    written.emplace_back(text, "l" + std::to_string(rng.Below(5)));
    bytes += CsvField(written.back().second) + "," + CsvField(text) + "\r\n";
  }
  Write(folder / "a.csv", bytes);
  std::vector<std::pair<std::string, std::string>> read;
  for (const auto& [line, text, label] : Read(folder / "a.csv")) {
    read.emplace_back(text, label);
  }
  EXPECT_EQ(read, written);
}

// Any bytes end in rows or in an Error, in each format.
TEST(ReadLabelledRows, SurvivesDamagedFiles) {
  const ScratchFolder folder;
  Rng rng(11);
  for (const char* name : {"a.tsv", "a.csv", "a.jsonl"}) {
    std::string good;
    for (const GoodCase& one : kGood) {
      if (std::string(one.file) == name) good += one.bytes;
    }
    for (int round = 0; round < 200; ++round) {
      std::string bytes = good.substr(rng.Below(4), rng.Below(good.size()));
      for (int change = 0; change < 3 && !bytes.empty(); ++change) {
        bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Below(256));
      }
      Write(folder / name, bytes);
      try {
        EXPECT_FALSE(Read(folder / name).empty());
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUsage);
        EXPECT_NE(std::string(error.what()).find(name + ":"s),
                  std::string::npos);
      }
    }
  }
}

}  // namespace
}  // namespace hone
