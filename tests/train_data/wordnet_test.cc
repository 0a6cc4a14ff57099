#include "train/data/wordnet.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

// A record as wndb(5WN) writes it, without its first field.
std::string Record(const std::string& category, const std::string& type,
                   const std::string& gloss) {
  return " " + category + " " + type + " 01 word 0 000 | " + gloss + "  \n";
}

// Puts the licence above the records and, before each, the byte it begins at.
std::string DataFile(const std::vector<std::string>& records) {
  std::string text = "  1 This software is licensed.  \n  2 As is.  \n";
  for (const std::string& record : records) {
    const std::string offset = std::to_string(text.size());
    text += std::string(8 - offset.size(), '0') + offset + record;
  }
  return text;
}

class WordNetFiles {
 public:
  WordNetFiles() {
    Write("data.noun", DataFile({Record("05", "n", "an animal; \"an owl\""),
                                 Record("44", "n", "x").replace(1, 2, "18")}));
    Write("data.verb", DataFile({Record("38", "v", "move fast")}));
    Write("data.adj", DataFile({Record("00", "a", "not small"),
                                Record("44", "s", "having run")}));
    Write("data.adv", DataFile({Record("02", "r", "in a fast way")}));
  }
  void Write(const std::string& name, const std::string& text) const {
    WriteFileAtomic(folder_ / name, text);
  }
  std::vector<Gloss> Read() const { return ReadWordNet(folder_.path()); }
  const ScratchFolder& folder() const { return folder_; }

 private:
  ScratchFolder folder_;
};

std::string TextOf(const std::string& gloss) {
  const WordNetFiles files;
  files.Write("data.verb", DataFile({Record("38", "v", gloss)}));
  return files.Read()[2].text;
}

TEST(ReadWordNet, ReadsAllFilesInOrder) {
  std::vector<std::pair<std::string, std::string>> read;
  for (const Gloss& gloss : WordNetFiles().Read()) {
    read.emplace_back(
        LexicographerFiles()[static_cast<std::size_t>(gloss.category)],
        gloss.text);
  }
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"noun.animal", "an animal"}, {"noun.person", "x"},
      {"verb.motion", "move fast"}, {"adj.all", "not small"},
      {"adj.ppl", "having run"},    {"adv.all", "in a fast way"}};
  EXPECT_EQ(read, expected);
}

TEST(ReadWordNet, StripsExamplesAndWhatSurroundsThem) {
  EXPECT_EQ(TextOf("draw air; \"I breathe\"; \"he breathes\""), "draw air");
  EXPECT_EQ(TextOf("go: \"they go\""), "go");
  EXPECT_EQ(TextOf("go, \"they go\", \"we go\""), "go");
  EXPECT_EQ(TextOf("one; two; \"three\"; four"), "one; two; four");
  EXPECT_EQ(TextOf("be; \"to be\"- W. Shakespeare; \"or not\" --Him"), "be");
  EXPECT_EQ(TextOf("cut (of wood); a - b"), "cut (of wood); a - b");
  EXPECT_EQ(TextOf("cut \"never closed"), "cut");
}

// Known answers of `printf %s GLOSS | md5sum | cut -c1-8`, modulo 10.
TEST(ReadWordNet, SplitsByTheMd5OfTheWholeGloss) {
  const WordNetFiles files;
  files.Write("data.verb", DataFile({Record("38", "v", "move fast"),
                                     Record("38", "v", "move off"),
                                     Record("38", "v", "move around")}));
  const std::vector<Gloss> glosses = files.Read();
  EXPECT_EQ(glosses[2].split, Split::kTrain);
  EXPECT_EQ(glosses[3].split, Split::kDev);
  EXPECT_EQ(glosses[4].split, Split::kTest);
}

TEST(ReadWordNet, NamesThePackageOfAMissingFile) {
  const WordNetFiles files;
  std::filesystem::remove(files.folder() / "data.adj");
  ExpectError(ErrorCode::kNotFound,
              "data.adj: no such file; install the Debian package wordnet-base",
              [&] { files.Read(); });
  ExpectError(ErrorCode::kNotFound, "wordnet-base",
              [&] { ReadWordNet(files.folder() / "nowhere"); });
}

struct BadFile {
  const char* name;
  std::string text;
  const char* message;
};

std::string Replaced(std::string text, const std::string& from,
                     const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

const std::string kGoodVerbs =
    DataFile({Record("38", "v", "move"), Record("29", "v", "breathe; \"in\"")});

const BadFile kBadFiles[] = {
    {"Empty", "", "data.verb:1: holds no records"},
    {"OnlyLicence", DataFile({}), ":1: holds no records"},
    {"CutOff", kGoodVerbs.substr(0, kGoodVerbs.size() - 1),
     ":4: the last line is cut off"},
    {"TextInserted", Replaced(kGoodVerbs, "move", "moved"),
     ":4: the first field is not the byte the record begins at"},
    {"LineEndsChanged", Replaced(kGoodVerbs, "\n", "\r\n"),
     ":3: the first field is not the byte"},
    {"EmptyLine", kGoodVerbs + "\n", ":5: the first field"},
    {"NoNumber", DataFile({Record("x8", "v", "move")}),
     ":3: the second field is no lexicographer file number of verb.*"},
    {"NumberTooLarge", DataFile({Record("45", "v", "move")}),
     ":3: the second field"},
    {"NumberOfNouns", DataFile({Record("05", "v", "move")}),
     ":3: the second field"},
    {"WrongType", DataFile({Record("38", "n", "move")}),
     ":3: the third field is not one of 'v'"},
    {"CutAfterNumber", DataFile({" 38\n"}), ":3: the third field"},
    {"NoGloss", DataFile({" 38 v 01 move 0 000\n"}),
     ":3: no definition after '|'"},
    {"OnlyExamples", DataFile({Record("38", "v", "\"it moves\"; \"so\"")}),
     ":3: no definition after '|'"},
    {"Latin1", DataFile({Record("38", "v", "caf\xE9")}),
     ":3: the gloss is not valid UTF-8"},
};

class RefuseBadWordNet : public ::testing::TestWithParam<BadFile> {};

TEST_P(RefuseBadWordNet, NamesFileAndLine) {
  const WordNetFiles files;
  files.Write("data.verb", GetParam().text);
  ExpectError(ErrorCode::kUsage, GetParam().message, [&] { files.Read(); });
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadWordNet, ::testing::ValuesIn(kBadFiles),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

// WordNet 3.0 as Debian packs it: counts by another program (docs/data.md).
TEST(ReadWordNet, ReadsTheInstalledPackage) {
  if (!std::filesystem::exists(WordNetFolder() / "data.noun")) {
    GTEST_SKIP() << "the Debian package wordnet-base is not installed";
  }
  const std::vector<Gloss> glosses = ReadWordNet(WordNetFolder());
  EXPECT_EQ(glosses.size(), 117659u);
  std::map<std::string, int> categories;
  std::map<Split, int> splits;
  for (const Gloss& gloss : glosses) {
    ++splits[gloss.split];
    ++categories[LexicographerFiles()[static_cast<std::size_t>(
        gloss.category)]];
    ASSERT_FALSE(gloss.text.empty());
    ASSERT_EQ(gloss.text.find('"'), std::string::npos) << gloss.text;
  }
  EXPECT_EQ(splits[Split::kTrain], 94094);
  EXPECT_EQ(splits[Split::kDev], 11730);
  EXPECT_EQ(splits[Split::kTest], 11835);
  EXPECT_EQ(categories.size(), 45u);
  EXPECT_EQ(categories["noun.motive"], 42);
  EXPECT_EQ(categories["noun.Tops"], 51);
  EXPECT_EQ(categories["adj.ppl"], 60);
  EXPECT_EQ(categories["verb.weather"], 81);
  EXPECT_EQ(categories["adv.all"], 3621);
}

TEST(LexicographerFiles, AreFortyFiveDistinctNames) {
  const auto& names = LexicographerFiles();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 45u);
  EXPECT_EQ(names.size(), 45u);
}

}  // namespace
}  // namespace hone
