#include "train/data/wordpiece.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/file.h"
#include "space/base/hash.h"
#include "space/base/json.h"
#include "space/base/rng.h"
#include "tests/train_data/expect_error.h"
#include "train/data/task.h"
#include "train/data/vocabulary.h"

namespace hone {
namespace {

using Tokens = std::vector<std::int64_t>;
using ::testing::ElementsAre;

const std::vector<std::string> kPieces = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "cafe",
    "the",   ",",     "[",     "]",     "cl", "##s",   "Cafe"};

WordPiece Folding() { return {kPieces, true, "vocab"}; }

TEST(WordPiece, TakesTheLongestPieceFirst) {
  EXPECT_THAT(Folding().Encode("unaffable", 10), ElementsAre(4, 5, 6));
  EXPECT_THAT(Folding().Encode("the,unaffable ,", 10),
              ElementsAre(8, 9, 4, 5, 6, 9));
}

TEST(WordPiece, MakesAWordWithAnUnknownRestUnknownAsAWhole) {
  EXPECT_THAT(Folding().Encode("unaffables unable affable", 10),
              ElementsAre(4, 5, 6, 13, 4, 6, 1));
  EXPECT_THAT(Folding().Encode("unaffablex the", 10), ElementsAre(1, 8));
}

TEST(WordPiece, FoldsCaseAndAccentsOnlyWhenAsked) {
  EXPECT_THAT(Folding().Encode("CAFÉ cafe\u0301", 10), ElementsAre(7, 7));
  const WordPiece cased(kPieces, false, "vocab");
  EXPECT_THAT(cased.Encode("Cafe cafe CAFE café", 10),
              ElementsAre(14, 7, 1, 1));
}

TEST(WordPiece, ReadsNamesOfSpecialPiecesAsText) {
  EXPECT_THAT(Folding().Encode("[CLS]", 10), ElementsAre(10, 12, 13, 11));
}

TEST(WordPiece, CutsAndMayYieldNothing) {
  EXPECT_THAT(Folding().Encode("the unaffable", 2), ElementsAre(8, 4));
  EXPECT_TRUE(Folding().Encode(" \t\u3000\u200b", 9).empty());
}

TEST(WordPiece, DecodesWithBlanksBetweenWords) {
  EXPECT_EQ(Folding().Decode({8, 4, 5, 6, 1}), "the unaffable [UNK]");
  EXPECT_EQ(Folding().Decode({6, 8}), "##able the");
}

// Texts with accents, marks, emoji, CJK, controls, blanks of all kinds. The
// numbers are those of the Python library tokenizers 0.23.3 (BertNormalizer,
// BertPreTokenizer, WordPiece), written by wordpiece_check.py --write-golden.
TEST(WordPiece, EqualsThePythonLibraryOnNastyStrings) {
  const std::string path = std::string(std::getenv("HONE_SOURCE_DIR")) +
                           "/tests/train_data/golden/wordpiece.json";
  const Json golden = ParseJson(ReadFile(path), path);
  for (const auto& [name, fold_case] :
       {std::pair{"folded", true}, std::pair{"cased", false}}) {
    const WordPiece pieces(golden.at("pieces"), fold_case, path);
    for (std::size_t i = 0; i < golden.at("texts").size(); ++i) {
      const auto text = golden.at("texts")[i].get<std::string>();
      EXPECT_EQ(pieces.Encode(text, 1000), golden.at(name)[i].get<Tokens>())
          << name << ": " << text;
    }
  }
}

TEST(WordPiece, EncodesAnyBytes) {
  Rng rng(4);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(rng.Below(60), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.Below(256));
    for (const std::int64_t token : Folding().Encode(bytes, 7)) {
      EXPECT_LT(token, static_cast<std::int64_t>(kPieces.size()));
    }
  }
}

class WordPieceFile : public ::testing::Test {
 protected:
  std::string Path() const { return (folder_ / "vocab.txt").string(); }
  void Write(const std::string& bytes) const { WriteFileAtomic(Path(), bytes); }
  TaskOptions Options() const {
    TaskOptions options;
    options.vocabulary = "wordpiece";
    options.vocabulary_file = Path();
    return options;
  }
  void ExpectRefused(const std::string& bytes, const std::string& message) {
    Write(bytes);
    ExpectError(ErrorCode::kUsage, message,
                [&] { TrainVocabulary(Options(), {}); });
  }

  ScratchFolder folder_;
};

TEST_F(WordPieceFile, EndsLinesEitherWay) {
  for (const char* bytes : {"[UNK]\n[CLS]\n[SEP]\na\n",
                            "[UNK]\r\n[CLS]\r\n"
                            "[SEP]\r\na"}) {
    Write(bytes);
    EXPECT_THAT(ReadWordPieces(Path()),
                ElementsAre("[UNK]", "[CLS]", "[SEP]", "a"));
  }
}

TEST_F(WordPieceFile, IsRefusedWithTheLineOfTheFault) {
  const std::string good = "[UNK]\n[CLS]\n[SEP]\n";
  ExpectRefused(good + "a\nb\na\n",
                "vocab.txt:6: the piece 'a' stands on line 4 already");
  ExpectRefused(good + "\nb\n", "vocab.txt:4: empty");
  ExpectRefused(good + "a\n\xC3(\n", "vocab.txt:5: not UTF-8");
  ExpectRefused(good + std::string("a\0b\n", 4), "vocab.txt:4: not UTF-8");
  ExpectRefused("[CLS]\n[SEP]\n", "no piece [UNK] among 2");
  ExpectRefused("[UNK]\n[SEP]\n", "no piece [CLS]");
  ExpectRefused("[UNK]\n[CLS]\n", "no piece [SEP]");
  ExpectRefused("", "no piece [UNK]");
}

TEST_F(WordPieceFile, ThatIsMissingIsNamed) {
  ExpectError(ErrorCode::kNotFound, "vocab.txt",
              [&] { TrainVocabulary(Options(), {}); });
}

TEST_F(WordPieceFile, BecomesAVocabularyThatReadsBackWhatItWrote) {
  std::string bytes;
  for (const std::string& piece : kPieces) bytes += piece + "\n";
  Write(bytes);
  for (const bool fold_case : {false, true}) {
    TaskOptions options = Options();
    options.fold_case = fold_case;
    const auto vocabulary = TrainVocabulary(options, {"never read"});
    EXPECT_EQ(vocabulary->size(), 15);
    EXPECT_EQ(vocabulary->unknown(), 1);
    EXPECT_THAT(vocabulary->Encode(" ", 5), ElementsAre(1));
    const auto again = ParseVocabulary(vocabulary->Serialize());
    EXPECT_EQ(again->Serialize(), vocabulary->Serialize());
    EXPECT_EQ(again->Encode("CAFÉ Cafe", 9),
              vocabulary->Encode("CAFÉ Cafe", 9));
    EXPECT_EQ(again->Decode({4, 5}), "unaff");
  }
}

TEST_F(WordPieceFile, StoredWithAFaultIsRefused) {
  for (const std::string content :
       {R"({"fold_case":true,"words":["[UNK]","[CLS]"]})",
        R"({"fold_case":1,"words":["[UNK]","[CLS]","[SEP]"]})",
        R"({"words":["[UNK]","[CLS]","[SEP]"]})",
        R"({"fold_case":true,"words":["[UNK]","[CLS]","[SEP]","[UNK]"]})"}) {
    ExpectError(ErrorCode::kIntegrity, "not a vocabulary of ours", [&] {
      ParseVocabulary("hone-vocabulary 1 wordpiece " + Sha256(content) + "\n" +
                      content);
    });
  }
}

TEST_F(WordPieceFile, ServesATextClassification) {
  std::string bytes;
  for (const std::string& piece : kPieces) bytes += piece + "\n";
  Write(bytes);
  TaskOptions options = Options();
  options.train = (folder_ / "train.tsv").string();
  options.dev = options.train;
  WriteFileAtomic(options.train, "text\tlabel\nthe café\tx\nunaffable\ty\n");
  const PreparedData data = PrepareData(options, {});
  EXPECT_EQ(data.shape.vocabulary, 15);
  EXPECT_EQ(data.train.unknown, 1);
  EXPECT_THAT(data.train.tokens, ElementsAre(Tokens{8, 7}, Tokens{4, 5, 6}));
  EXPECT_EQ(SomeRows(data.train, 1).unknown, 1);
}

}  // namespace
}  // namespace hone
