#include "experiments/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/hash.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

ModelCard Example() {
  ModelCard card;
  card.study = "gloss";
  card.trial = 12;
  card.spec_hash = "abc";
  card.program_version = "1";
  card.architecture = {{64}, {{LocalAttention{4, 8}, {128}, Precision::kW4}}};
  card.task.max_tokens = 33;
  card.shape = ClassifierShape(1000, 2, 33);
  card.measurement.tokens = 24;
  card.classes = {"noun", "verb"};
  card.metrics = {{"accuracy", {0.75, "1", {}, {}}},
                  {"latency_ms", {0.5, "ms", 0.4, 0.6}}};
  card.sha256 = {{kModelFile, Sha256("model")}, {kVocabularyFile, Sha256("v")}};
  return card;
}

void WriteExample(const std::filesystem::path& folder, const Json& card) {
  WriteFileAtomic(folder / kModelFile, "model");
  WriteFileAtomic(folder / kVocabularyFile, "v");
  WriteFileAtomic(folder / kCardFile, card.dump());
}

ErrorCode CodeOfReading(const std::filesystem::path& folder) {
  try {
    ReadModelFolder(folder);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "accepted";
  return ErrorCode::kInternal;
}

TEST(ModelCardTest, ReadsBackWhatWasWritten) {
  const ScratchFolder folder;
  WriteExample(folder.path(), ToJson(Example()));
  const ModelCard card = ReadModelFolder(folder.path());
  EXPECT_EQ(ToJson(card), ToJson(Example()));
  EXPECT_EQ(card.architecture, Example().architecture);
  EXPECT_EQ(card.metrics, Example().metrics);
  EXPECT_EQ(card.shape, Example().shape);
}

TEST(ModelCardTest, NoticesChangedAndMissingFiles) {
  const ScratchFolder folder;
  EXPECT_EQ(CodeOfReading(folder.path()), ErrorCode::kNotFound);
  WriteExample(folder.path(), ToJson(Example()));
  WriteFileAtomic(folder / kModelFile, "Model");
  EXPECT_EQ(CodeOfReading(folder.path()), ErrorCode::kIntegrity);
  WriteExample(folder.path(), ToJson(Example()));
  std::filesystem::remove(folder / kVocabularyFile);
  EXPECT_EQ(CodeOfReading(folder.path()), ErrorCode::kNotFound);
}

// Takes away every key of the card in turn.
TEST(ModelCardTest, RefusesACardWithoutAnyOfItsKeys) {
  const ScratchFolder folder;
  const Json whole = ToJson(Example());
  for (const auto& [key, value] : whole.items()) {
    Json card = whole;
    card.erase(key);
    WriteExample(folder.path(), card);
    EXPECT_EQ(CodeOfReading(folder.path()), ErrorCode::kIntegrity) << key;
  }
}

TEST(ModelCardTest, RefusesAnotherVersionAndInconsistentClasses) {
  const ScratchFolder folder;
  Json card = ToJson(Example());
  card["card_version"] = 1;
  WriteExample(folder.path(), card);
  EXPECT_EQ(CodeOfReading(folder.path()), ErrorCode::kIntegrity);
  card = ToJson(Example());
  card["classes"].push_back("third");
  WriteExample(folder.path(), card);
  EXPECT_EQ(CodeOfReading(folder.path()), ErrorCode::kIntegrity);
}

}  // namespace
}  // namespace hone
