#include "train/data/sword.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/deflate.h"
#include "tests/train_data/expect_error.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

void Write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string Little(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text += static_cast<char>(number >> (8 * i) & 0xFF);
  }
  return text;
}

// The three files of one testament: each block holds its records.
struct Testament {
  std::string bzs, bzv, bzz;

  explicit Testament(const std::vector<std::vector<std::string>>& blocks) {
    for (const std::vector<std::string>& records : blocks) Add(records);
  }

  void Add(const std::vector<std::string>& records) {
    std::string plain;
    for (const std::string& record : records) {
      AddRecord(bzs.size() / 12, plain.size(), record.size());
      plain += record;
    }
    const std::string packed = Deflated(plain) + std::string(8, '\0');
    bzs += Little(bzz.size(), 4) + Little(packed.size(), 4) +
           Little(plain.size(), 4);
    bzz += packed;
  }

  void AddRecord(std::uint64_t block, std::uint64_t offset,
                 std::uint64_t size) {
    bzv += Little(block, 4) + Little(offset, 4) + Little(size, 2);
  }

  void WriteTo(const std::filesystem::path& folder,
               const std::string& name) const {
    std::filesystem::create_directories(folder);
    Write(folder / (name + ".bzs"), bzs);
    Write(folder / (name + ".bzv"), bzv);
    Write(folder / (name + ".bzz"), bzz);
  }
};

std::vector<std::string> Read(const ScratchFolder& folder,
                              const Testament& old_one) {
  old_one.WriteTo(folder.path(), "ot");
  Testament({{"new"}}).WriteTo(folder.path(), "nt");
  return ReadSwordModule(folder.path());
}

std::string Cleaned(const std::string& marked) {
  const ScratchFolder folder;
  return Read(folder, Testament({{marked}})).front();
}

TEST(ReadSwordModule, ReadsOldThenNewInOrder) {
  const ScratchFolder folder;
  const std::vector<std::string> expected = {"one", "", "two", "three", "new"};
  EXPECT_EQ(Read(folder, Testament({{"one", "", "two"}, {"three"}})), expected);
}

TEST(ReadSwordModule, Cleans) {
  EXPECT_EQ(Cleaned("In the <w lemma=\"strong:H1\">beginning</w> God. "),
            "In the beginning God.");
  EXPECT_EQ(Cleaned("a<note type=\"x\">b<note>c</note>d</note> e"), "a e");
  EXPECT_EQ(Cleaned("<title>The <hi>first</hi> book</title> <div/>"), "");
  EXPECT_EQ(Cleaned("<chapter n=\"1\" osisID=\"Gen.1\"/> "), "");
  EXPECT_EQ(Cleaned("a <note/>b"), "a b");
  EXPECT_EQ(Cleaned("a <notes>b</notes>"), "a b");
  EXPECT_EQ(Cleaned("<milestone/>\u00B6 And  he\t said \n"), "And he said");
  EXPECT_EQ(Cleaned("the \\nd <w>L<seg>ORD</seg></w>"), "the LORD");
  EXPECT_EQ(Cleaned("\u00BFqu\u00E9?"), "\u00BFqu\u00E9?");
}

TEST(ReadSwordModule, NamesAMissingFile) {
  const ScratchFolder folder;
  const std::filesystem::path module = folder / "spaRV1909eb";
  Testament({{"a"}}).WriteTo(module, "ot");
  ExpectError(
      ErrorCode::kNotFound,
      "nt.bzv: no such file; install the Debian package sword-text-sparv",
      [&] { ReadSwordModule(module); });
  ExpectError(ErrorCode::kNotFound,
              "ot.bzv: no such file; a folder with ot.bzs, ot.bzv",
              [&] { ReadSwordModule(folder.path()); });
}

struct BadFile {
  const char* name;
  void (*damage)(Testament& testament);
  const char* message;
};

void Put(std::string& bytes, std::size_t at, std::uint64_t number, int size) {
  bytes.replace(at, static_cast<std::size_t>(size), Little(number, size));
}

const BadFile kBadFiles[] = {
    {"CutBlocks", [](Testament& t) { t.bzs.pop_back(); },
     "ot.bzs: byte 12: the last entry is cut off; each has 12 bytes"},
    {"CutRecords", [](Testament& t) { t.bzv += "abc"; },
     "ot.bzv: byte 20: the last entry is cut off; each has 10 bytes"},
    {"CutData", [](Testament& t) { t.bzz.pop_back(); },
     "ot.bzs: byte 12: a block of"},
    {"OffsetOutside", [](Testament& t) { Put(t.bzs, 12, 1000000, 4); },
     "ot.bzs: byte 12: a block of"},
    // Their sum is small modulo 2^32.
    {"Overflow",
     [](Testament& t) {
       Put(t.bzs, 0, 0xFFFFFFFF, 4);
       Put(t.bzs, 4, 2, 4);
     },
     "ot.bzs: byte 0: a block of 2 bytes at 4294967295, and ot.bzz has"},
    {"HugeBlock", [](Testament& t) { Put(t.bzs, 8, 0xFFFFFFFF, 4); },
     "ot.bzs: byte 0: a block that inflates to 4294967295 bytes; at most"},
    {"PlainSizeTooLarge", [](Testament& t) { Put(t.bzs, 8, 9, 4); },
     "ot.bzz: byte 0: the block inflates to 5 bytes; ot.bzs says 9"},
    {"PlainSizeTooSmall", [](Testament& t) { Put(t.bzs, 8, 4, 4); },
     "ot.bzz: byte 0: inflates to more than 4 bytes"},
    {"CutStream", [](Testament& t) { Put(t.bzs, 4, 7, 4); },
     "ot.bzz: byte 0: the compressed data is cut off after 7 bytes"},
    {"NoStream", [](Testament& t) { t.bzz.replace(0, 4, "text"); },
     "ot.bzz: byte 0: damaged compressed data at byte"},
    {"Junk", [](Testament& t) { t.bzz.back() = 'x'; },
     "other bytes after the end of a zlib stream"},
    {"UnknownBlock", [](Testament& t) { Put(t.bzv, 10, 2, 4); },
     "ot.bzv: byte 10: a record of block 2, and there are 2 blocks"},
    {"RecordOutside", [](Testament& t) { Put(t.bzv, 4, 1, 4); },
     "ot.bzv: byte 0: a record of 5 bytes at 1 of block 0, which has 5"},
    {"RecordOverflow", [](Testament& t) { Put(t.bzv, 4, 0xFFFFFFFF, 4); },
     "ot.bzv: byte 0: a record of 5 bytes at 4294967295"},
    {"Latin1",
     [](Testament& t) {
       t = Testament({{"good"}, {"caf\xE9"}});
     },
     "ot.bzv: byte 10: the record is not valid UTF-8"},
    {"OpenTag", [](Testament& t) { t = Testament({{"a <w"}}); },
     "ot.bzv: byte 0: a tag, note or title of the record does not end"},
    {"OpenNote", [](Testament& t) { t = Testament({{"a <note>b"}}); },
     "ot.bzv: byte 0: a tag, note or title"},
    {"ClosedTwice", [](Testament& t) { t = Testament({{"a</title>"}}); },
     "ot.bzv: byte 0: a tag, note or title"},
};

class RefuseBadSword : public ::testing::TestWithParam<BadFile> {};

TEST_P(RefuseBadSword, NamesFileAndByte) {
  const ScratchFolder folder;
  Testament testament({{"first"}, {"second"}});
  GetParam().damage(testament);
  ExpectError(ErrorCode::kUsage, GetParam().message,
              [&] { Read(folder, testament); });
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadSword, ::testing::ValuesIn(kBadFiles),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

TEST(ReadSwordPairs, KeepsWhatBothHave) {
  const ScratchFolder folder;
  Testament({{"a", "", "c", ""}}).WriteTo(folder / "x", "ot");
  Testament({{"e"}}).WriteTo(folder / "x", "nt");
  Testament({{"A", "B", "<note>none</note>", ""}}).WriteTo(folder / "y", "ot");
  Testament({{"E"}}).WriteTo(folder / "y", "nt");
  const auto pairs = ReadSwordPairs(folder / "x", folder / "y");
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].source + pairs[0].target, "aA");
  EXPECT_EQ(pairs[0].line, 1);
  EXPECT_EQ(pairs[1].source + pairs[1].target, "eE");
  EXPECT_EQ(pairs[1].line, 5);
}

TEST(ReadSwordPairs, RefusesAnotherVersification) {
  const ScratchFolder folder;
  for (const char* name : {"x", "y"}) {
    Testament({{"a"}}).WriteTo(folder / name, "ot");
    Testament({{"b"}}).WriteTo(folder / name, "nt");
  }
  Testament({{"a", "b", "c"}}).WriteTo(folder / "y", "ot");
  ExpectError(ErrorCode::kUsage, "2 records, and ",
              [&] { ReadSwordPairs(folder / "x", folder / "y"); });
}

TEST(SwordFolder, NamesTheModulesKnown) {
  ExpectError(ErrorCode::kNotFound, "did you mean 'engKJV2006eb'?",
              [] { SwordFolder("engKJV2006"); });
}

bool Installed(const std::string& module) {
  return std::filesystem::exists("/usr/share/sword/modules/texts/ztext/" +
                                 module + "/nt.bzz");
}

struct Count {
  std::size_t characters = 0;
  std::set<char32_t> distinct;
};

Count CountCharacters(std::string_view text) {
  Count count;
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    count.distinct.insert(point.value);
    ++count.characters;
    text.remove_prefix(point.bytes);
  }
  return count;
}

// Counts by another program, which did the same in Python.
TEST(ReadSwordModule, ReadsTheInstalledEnglish) {
  if (!Installed("engKJV2006eb")) {
    GTEST_SKIP() << "the Debian package sword-text-kjv is not installed";
  }
  const auto verses = ReadSwordModule(SwordFolder("engKJV2006eb"));
  EXPECT_EQ(verses.size(), 24115u + 8246u);
  EXPECT_EQ(verses.size() - static_cast<std::size_t>(
                                std::count(verses.begin(), verses.end(), "")),
            31102u);
  EXPECT_EQ(verses[3], "");
  EXPECT_EQ(verses[4],
            "In the beginning God created the heaven and the earth.");
  std::string text;
  for (const std::string& verse : verses) {
    if (!verse.empty()) text += verse + "\n";
  }
  const Count count = CountCharacters(text);
  EXPECT_EQ(count.characters, 4138535u);
  EXPECT_EQ(count.distinct.size(), 68u);
}

// With a line end after every verse. The marker "\nd ", kept in its 27 verses,
// would make 27 * 4 characters more, and the backslash one more distinct one:
// 4,137,016 and 69.
TEST(ReadSwordPairs, ReadsTheInstalledTranslation) {
  if (!Installed("engKJV2006eb") || !Installed("spaRV1909eb")) {
    GTEST_SKIP() << "the Debian packages sword-text-kjv and sword-text-sparv "
                    "are not installed";
  }
  const auto pairs =
      ReadSwordPairs(SwordFolder("spaRV1909eb"), SwordFolder("engKJV2006eb"));
  ASSERT_EQ(pairs.size(), 31084u);
  EXPECT_EQ(pairs.front().source,
            "EN el principio cri\u00F3 Dios los cielos y la tierra.");
  EXPECT_EQ(pairs.back().target,
            "The grace of our Lord Jesus Christ be with you all. Amen.");
  std::string english, spanish;
  for (const TextPair& pair : pairs) {
    english += pair.target + "\n";
    spanish += pair.source + "\n";
  }
  EXPECT_EQ(CountCharacters(english).characters, 4136908u);
  EXPECT_EQ(CountCharacters(english).distinct.size(), 68u);
  EXPECT_EQ(CountCharacters(spanish).characters, 3811251u);
  EXPECT_EQ(CountCharacters(spanish).distinct.size(), 82u);
}

}  // namespace
}  // namespace hone
