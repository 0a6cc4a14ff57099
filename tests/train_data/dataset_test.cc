#include "train/data/dataset.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/expect_error.h"
#include "train/data/task.h"
#include "train/data/wordnet.h"

namespace hone {
namespace {

// A person's own files and the options that name them.
class OwnFiles {
 public:
  OwnFiles() {
    options.kind = "text-classification";
    options.train = Path("train.tsv");
    options.dev = Path("dev.csv");
    options.test = Path("test.jsonl");
    Write("train.tsv",
          "text\tlabel\nan owl\tbird\na cat\tmammal\nan asp\tSnake\n");
    Write("dev.csv", "label,text\nmammal,\"a dog, a cat\"\nbird,an owl\n");
    Write("test.jsonl", R"({"text":"a snake","label":"Snake"})");
  }
  std::string Path(const std::string& name) const {
    return (folder_ / name).string();
  }
  void Write(const std::string& name, const std::string& text) const {
    WriteFileAtomic(folder_ / name, text);
  }
  void Remove(const std::string& name) const {
    std::filesystem::remove(folder_ / name);
  }

  TaskOptions options;

 private:
  ScratchFolder folder_;
};

using Pairs = std::vector<std::pair<std::string, std::int64_t>>;

Pairs PairsOf(const std::vector<LabelledText>& examples) {
  Pairs pairs;
  for (const auto& [text, label] : examples) pairs.emplace_back(text, label);
  return pairs;
}

TEST(LoadDataset, NumbersClassesByTheirSortedNames) {
  const OwnFiles own;
  const TextDataset dataset = LoadDataset(own.options);
  EXPECT_EQ(dataset.classes,
            (std::vector<std::string>{"Snake", "bird", "mammal"}));
  EXPECT_EQ(PairsOf(dataset.train),
            (Pairs{{"an owl", 1}, {"a cat", 2}, {"an asp", 0}}));
  EXPECT_EQ(PairsOf(dataset.dev), (Pairs{{"a dog, a cat", 2}, {"an owl", 1}}));
  EXPECT_EQ(PairsOf(LoadTestSplit(own.options, dataset.classes)),
            (Pairs{{"a snake", 0}}));
}

TEST(LoadDataset, NeverOpensTheTestFile) {
  OwnFiles own;
  const std::string hash = LoadDataset(own.options).content_hash;
  own.Write("test.jsonl", "not JSON");
  EXPECT_EQ(LoadDataset(own.options).content_hash, hash);
  own.Remove("test.jsonl");
  EXPECT_EQ(LoadDataset(own.options).content_hash, hash);
  own.options.test.clear();
  EXPECT_EQ(LoadDataset(own.options).content_hash, hash);
}

TEST(LoadDataset, HashesTextsAndLabelsButNotTheirFiles) {
  OwnFiles own;
  const std::string hash = LoadDataset(own.options).content_hash;
  own.Write("dev.tsv", "text\tlabel\na dog, a cat\tmammal\nan owl\tbird\n");
  own.options.dev = own.Path("dev.tsv");
  EXPECT_EQ(LoadDataset(own.options).content_hash, hash);
  std::set<std::string> hashes = {hash};
  for (const char* dev : {"text\tlabel\na dog, a cat\tmammal\nan owl\tSnake\n",
                          "text\tlabel\na dog, a cats\tmammal\nan owl\tbird\n",
                          "text\tlabel\nan owl\tbird\na dog, a cat\tmammal\n",
                          "text\tlabel\na dog, a cat\tmammal\n"}) {
    own.Write("dev.tsv", dev);
    hashes.insert(LoadDataset(own.options).content_hash);
  }
  EXPECT_EQ(hashes.size(), 5u);
}

TEST(LoadDataset, HashesWhichSplitARowIsIn) {
  OwnFiles own;
  own.options.dev = own.Path("dev.tsv");
  own.Write("train.tsv", "text\tlabel\na\tx\nb\ty\nc\tx\n");
  own.Write("dev.tsv", "text\tlabel\nd\ty\n");
  const std::string hash = LoadDataset(own.options).content_hash;
  own.Write("train.tsv", "text\tlabel\na\tx\nb\ty\n");
  own.Write("dev.tsv", "text\tlabel\nc\tx\nd\ty\n");
  EXPECT_NE(LoadDataset(own.options).content_hash, hash);
}

TEST(LoadDataset, NamesAMissingKey) {
  OwnFiles own;
  own.options.dev.clear();
  ExpectError(ErrorCode::kUsage, "task.dev: missing",
              [&] { LoadDataset(own.options); });
  own.options.test.clear();
  ExpectError(ErrorCode::kUsage, "task.test: missing", [&] {
    LoadTestSplit(own.options, {"Snake", "bird"});
  });
}

TEST(LoadDataset, NamesAMissingFile) {
  const OwnFiles own;
  own.Remove("dev.csv");
  ExpectError(ErrorCode::kNotFound, "dev.csv",
              [&] { LoadDataset(own.options); });
}

TEST(LoadDataset, RefusesLabelsThatTrainingLacks) {
  const OwnFiles own;
  own.Write("dev.csv", "label,text\nbird,an owl\nmamal,a dog\n");
  ExpectError(ErrorCode::kUsage,
              "dev.csv:3: the label 'mamal' does not occur in the training "
              "file; did you mean 'mammal'?",
              [&] { LoadDataset(own.options); });
  ExpectError(ErrorCode::kUsage, "test.jsonl:1: the label 'Snake'", [&] {
    LoadTestSplit(own.options, {"bird", "mammal"});
  });
}

TEST(LoadDataset, DoesNotListManyClasses) {
  const OwnFiles own;
  std::string train = "text\tlabel\n";
  for (int i = 100; i < 200; ++i)
    train += "x\tclass" + std::to_string(i) + "\n";
  own.Write("train.tsv", train);
  own.Write("dev.csv", "label,text\nowl,x\n");
  try {
    LoadDataset(own.options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("class150"), std::string::npos);
  }
}

TEST(LoadDataset, NeedsTwoClasses) {
  const OwnFiles own;
  own.Write("train.tsv", "text\tlabel\nan owl\tbird\na hen\tbird\n");
  ExpectError(ErrorCode::kUsage, "train.tsv: every label is 'bird'",
              [&] { LoadDataset(own.options); });
}

TEST(LoadDataset, RefusesOwnFilesForWordNet) {
  TaskOptions options;
  options.dev = "mine.tsv";
  ExpectError(ErrorCode::kUsage, "task.dev: without task.train the built-in",
              [&] { LoadDataset(options); });
}

TEST(LoadDataset, ReadsTheInstalledWordNet) {
  if (!std::filesystem::exists(WordNetFolder() / "data.noun")) {
    GTEST_SKIP() << "the Debian package wordnet-base is not installed";
  }
  const TextDataset dataset = LoadDataset(TaskOptions());
  EXPECT_EQ(dataset.train.size(), 94094u);
  EXPECT_EQ(dataset.dev.size(), 11730u);
  ASSERT_EQ(dataset.classes.size(), 45u);
  EXPECT_TRUE(std::is_sorted(dataset.classes.begin(), dataset.classes.end()));
  // data.noun begins with entity, which is of noun.Tops.
  EXPECT_EQ(dataset.classes[static_cast<std::size_t>(dataset.train[0].label)],
            "noun.Tops");
  EXPECT_EQ(LoadTestSplit(TaskOptions(), dataset.classes).size(), 11835u);
}

TEST(PrepareData, TokenizesWithTheVocabularyOfTheTrainingSplit) {
  OwnFiles own;
  own.Write("train.tsv", "text\tlabel\nan owl\tbird\nan asp\tsnake\n");
  own.Write("dev.csv", "label,text\nbird,an owl owl owl an\n");
  own.options.max_tokens = 3;
  const PreparedData data = PrepareData(own.options, {});
  // Only "an" is seen twice in training.
  EXPECT_EQ(data.vocabulary->size(), 2);
  EXPECT_EQ(data.train.tokens,
            (std::vector<std::vector<std::int64_t>>{{1, 0}, {1, 0}}));
  EXPECT_EQ(data.train.labels, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(data.dev.tokens,
            (std::vector<std::vector<std::int64_t>>{{1, 0, 0}}));
  EXPECT_EQ(data.vocabulary_bytes, data.vocabulary->Serialize());
}

TEST(PrepareData, HashesWhatTheTokensDependOn) {
  OwnFiles own;
  std::set<std::string> hashes = {PrepareData(own.options, {}).content_hash,
                                  PrepareData(own.options, {}).content_hash};
  EXPECT_EQ(hashes.size(), 1u);
  own.options.max_tokens = 3;
  hashes.insert(PrepareData(own.options, {}).content_hash);
  own.options.vocabulary = "sentencepiece";
  hashes.insert(PrepareData(own.options, {}).content_hash);
  own.Write("dev.csv", "label,text\nbird,an owl\n");
  hashes.insert(PrepareData(own.options, {}).content_hash);
  EXPECT_EQ(hashes.size(), 4u);
}

}  // namespace
}  // namespace hone
