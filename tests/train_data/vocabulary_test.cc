#include "train/data/vocabulary.h"

#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/hash.h"
#include "space/base/rng.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

using Tokens = std::vector<std::int64_t>;
using ::testing::ElementsAre;

TaskOptions Options(const std::string& kind, std::int64_t size) {
  TaskOptions options;
  options.vocabulary = kind;
  options.vocabulary_size = size;
  return options;
}

std::unique_ptr<Vocabulary> TrainOn(const TaskOptions& options,
                                    const std::vector<std::string>& texts) {
  return TrainVocabulary(options, {texts.begin(), texts.end()});
}

// Sentences over a small made-up language: enough for pieces to be learnt.
std::vector<std::string> Corpus() {
  const std::vector<std::string> words = {
      "the",   "small",  "bird",   "birds", "sings",  "singing", "of",
      "water", "Wasser", "größer", "read",  "reader", "reading", "2024"};
  Rng rng(3);
  std::vector<std::string> corpus;
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (int w = 0; w < 8; ++w) text += (w ? " " : "") + rng.Pick(words);
    corpus.push_back(text + ".");
  }
  return corpus;
}

TEST(WordVocabulary, RanksByCountThenWord) {
  // b 3 times, a and c twice, d once.
  const auto texts = std::vector<std::string>{"c a b", "B a.", "C b; d"};
  const auto vocabulary = TrainOn(Options("word", 100), texts);
  EXPECT_EQ(vocabulary->size(), 4);
  EXPECT_THAT(vocabulary->Encode("a b c d", 10), ElementsAre(2, 1, 3, 0));
  EXPECT_THAT(vocabulary->Encode("B?", 10), ElementsAre(1, 0));
}

TEST(WordVocabulary, KeepsTheMostFrequentWhenFull) {
  const auto texts = std::vector<std::string>{"c a b", "b a", "c b"};
  const auto vocabulary = TrainOn(Options("word", 3), texts);
  EXPECT_EQ(vocabulary->size(), 3);
  EXPECT_THAT(vocabulary->Encode("a b c", 10), ElementsAre(2, 1, 0));
}

TEST(WordVocabulary, DoesNotTakeTextForTheUnknownWord) {
  const auto texts = std::vector<std::string>{"<unknown> x", "<unknown> x"};
  const auto vocabulary = TrainOn(Options("word", 100), texts);
  for (const std::int64_t token : vocabulary->Encode("<unknown>", 10)) {
    EXPECT_GT(token, 0);
  }
}

class EveryVocabulary : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Vocabulary> Train() const {
    return TrainOn(Options(GetParam(), 60), Corpus());
  }
};

TEST_P(EveryVocabulary, HasAtMostTheEntriesAskedFor) {
  const auto vocabulary = Train();
  EXPECT_LE(vocabulary->size(), 60);
  EXPECT_GT(vocabulary->size(), 10);
  std::set<std::int64_t> used;
  for (const std::string& text : Corpus()) {
    for (const std::int64_t token : vocabulary->Encode(text, 1000)) {
      ASSERT_GE(token, 0);
      ASSERT_LT(token, vocabulary->size());
      used.insert(token);
    }
  }
  EXPECT_GT(used.size(), 10u);
  EXPECT_EQ(used.count(0), 0u) << "the training text needs no unknown token";
}

TEST_P(EveryVocabulary, YieldsOneToMaxTokens) {
  const auto vocabulary = Train();
  for (const std::string text : {"", " ", "\t\n", "\x01"}) {
    EXPECT_THAT(vocabulary->Encode(text, 5), ElementsAre(0)) << text;
  }
  const std::string text = "the birds sings of water";
  const Tokens all = vocabulary->Encode(text, 1000);
  ASSERT_GE(all.size(), 5u);
  for (std::size_t most = 1; most <= all.size(); ++most) {
    const Tokens cut =
        vocabulary->Encode(text, static_cast<std::int64_t>(most));
    EXPECT_EQ(cut, Tokens(all.begin(), all.begin() + static_cast<long>(most)));
  }
}

TEST_P(EveryVocabulary, IgnoresCase) {
  const auto vocabulary = Train();
  EXPECT_EQ(vocabulary->Encode("THE Birds GRÖßER", 100),
            vocabulary->Encode("the birds größer", 100));
}

TEST_P(EveryVocabulary, EncodesAnyBytes) {
  const auto vocabulary = Train();
  Rng rng(4);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(rng.Below(50), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.Below(256));
    const Tokens tokens = vocabulary->Encode(bytes, 7);
    EXPECT_GE(tokens.size(), 1u);
    EXPECT_LE(tokens.size(), 7u);
  }
}

TEST_P(EveryVocabulary, IsTheSameForTheSameTraining) {
  EXPECT_EQ(Train()->Serialize(), Train()->Serialize());
}

TEST_P(EveryVocabulary, ReadsBackWhatItWrote) {
  const auto vocabulary = Train();
  const auto read = ParseVocabulary(vocabulary->Serialize());
  EXPECT_EQ(read->size(), vocabulary->size());
  EXPECT_EQ(read->Serialize(), vocabulary->Serialize());
  for (const char* text : {"the birds sings", "unseen größer 7", ""}) {
    EXPECT_EQ(read->Encode(text, 50), vocabulary->Encode(text, 50));
  }
}

void ExpectRefused(const std::string& bytes) {
  ExpectError(ErrorCode::kIntegrity, "not a vocabulary of ours",
              [&] { ParseVocabulary(bytes); });
}

TEST_P(EveryVocabulary, RefusesCutBytes) {
  const std::string bytes = Train()->Serialize();
  for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 100) {
    ExpectRefused(bytes.substr(0, size));
  }
  ExpectRefused(bytes.substr(0, bytes.size() - 1));
  ExpectRefused(bytes + "x");
}

TEST_P(EveryVocabulary, RefusesAnyFlippedBit) {
  const std::string bytes = Train()->Serialize();
  Rng rng(8);
  for (int round = 0; round < 500; ++round) {
    std::string damaged = bytes;
    // The header often, then anywhere.
    char& c = damaged[rng.Below(round % 2 ? bytes.size() : 100)];
    c = static_cast<char>(c ^ 1 << rng.Below(8));
    ExpectRefused(damaged);
  }
}

TEST_P(EveryVocabulary, EncodesFromManyThreads) {
  const auto vocabulary = Train();
  const std::vector<std::string> corpus = Corpus();
  const auto encode_all = [&] {
    std::vector<Tokens> tokens;
    for (const std::string& text : corpus) {
      tokens.push_back(vocabulary->Encode(text, 20));
    }
    return tokens;
  };
  const std::vector<Tokens> expected = encode_all();
  std::vector<std::vector<Tokens>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] { result = encode_all(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

INSTANTIATE_TEST_SUITE_P(All, EveryVocabulary,
                         ::testing::Values("word", "sentencepiece"),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

TEST(PieceVocabulary, SplitsRareWordsIntoPieces) {
  const auto vocabulary = TrainOn(Options("sentencepiece", 60), Corpus());
  // Every letter was seen, so no token is the unknown one.
  const Tokens tokens = vocabulary->Encode("dreadings", 20);
  EXPECT_GT(tokens.size(), 1u);
  EXPECT_LT(tokens.size(), 9u);
  EXPECT_THAT(tokens, ::testing::Not(::testing::Contains(0)));
}

TEST(PieceVocabulary, TrainsOnLongTexts) {
  std::string text;
  while (text.size() < 5000) text += "the water sings ";
  const auto vocabulary = TrainOn(Options("sentencepiece", 40),
                                  std::vector<std::string>{text, "x"});
  EXPECT_THAT(vocabulary->Encode("water", 10),
              ::testing::Not(::testing::Contains(0)));
}

TEST(PieceVocabulary, NamesASizeThatIsTooSmall) {
  ExpectError(
      ErrorCode::kUsage,
      "task.vocabulary_size: SentencePiece cannot be trained with 16", [] {
        TrainOn(Options("sentencepiece", 16),
                std::vector<std::string>{"abcdefghijklmnopqrstuvwxyz", "z y"});
      });
}

std::string WithHash(const std::string& kind, const std::string& content) {
  return "hone-vocabulary 1 " + kind + " " + Sha256(content) + "\n" + content;
}

TEST(ParseVocabulary, RefusesContentThatFitsItsHashButNotItsKind) {
  const std::string good = R"({"words":["<unknown>","a"]})";
  EXPECT_EQ(ParseVocabulary(WithHash("word", good))->size(), 2);
  for (const char* content :
       {"", "{", "[]", "{}", R"({"words":{}})", R"({"words":[]})",
        R"({"words":["a","<unknown>"]})", R"({"words":["<unknown>",7]})",
        R"({"words":["<unknown>","a","a"]})"}) {
    ExpectRefused(WithHash("word", content));
  }
  ExpectRefused(WithHash("sentencepiece", good));
  ExpectRefused(WithHash("sentencepiece", ""));
  ExpectRefused(WithHash("wordpiece", good));
  ExpectRefused("");
  ExpectRefused("hone-vocabulary 1 ");
}

TEST(CharacterVocabulary, KnowsEveryCharacterOfItsTexts) {
  const auto vocabulary = TrainOn(Options("character", 10), {"bär\n", "ab"});
  EXPECT_EQ(vocabulary->size(), 6);  // unknown, \n, a, b, r, ä
  EXPECT_THAT(vocabulary->Encode("bär?\n", 10), ElementsAre(3, 5, 4, 0, 1));
  EXPECT_THAT(vocabulary->Encode("bär", 2), ElementsAre(3, 5));
  EXPECT_EQ(vocabulary->Decode({3, 5, 4, 1}), "bär\n");
  EXPECT_EQ(vocabulary->Decode({0}), "\uFFFD");
  const auto again = ParseVocabulary(vocabulary->Serialize());
  EXPECT_EQ(again->Encode("bär", 9), vocabulary->Encode("bär", 9));
  ExpectError(ErrorCode::kUsage, "use at least 6", [&] {
    TrainOn(Options("character", 5), {"bär\n", "ab"});
  });
}

TEST(IntegerVocabulary, ReadsNumbersAndRefusesTheRest) {
  const auto vocabulary = TrainOn(Options("integer", 256), {});
  EXPECT_EQ(vocabulary->size(), 256);
  EXPECT_THAT(vocabulary->Encode(" 3 255\t0 ", 10), ElementsAre(3, 255, 0));
  EXPECT_THAT(vocabulary->Encode("1 2 3", 2), ElementsAre(1, 2));
  EXPECT_EQ(vocabulary->Decode({3, 255}), "3 255");
  EXPECT_EQ(ParseVocabulary(vocabulary->Serialize())->size(), 256);
  for (const char* bad : {"256", "-1", "1,2", "1 x", "1.5"}) {
    ExpectError(ErrorCode::kUsage, "whole numbers from 0 to 255",
                [&] { vocabulary->Encode(bad, 10); });
  }
}

TEST(PieceVocabulary, DecodesWhatItEncodes) {
  const auto vocabulary = TrainOn(Options("sentencepiece", 60), Corpus());
  EXPECT_EQ(vocabulary->Decode(vocabulary->Encode("the birds sings.", 99)),
            "the birds sings.");
}

}  // namespace
}  // namespace hone
