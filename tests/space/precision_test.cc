#include "space/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

TEST(Precision, WordsAreReadAsTheyAreWritten) {
  for (const Precision& precision : EveryPrecision()) {
    EXPECT_EQ(ParsePrecision(Name(precision)), precision) << Name(precision);
  }
  EXPECT_EQ(Name(Precision::kF32), "f32");
  EXPECT_EQ(Name(Precision::kW8A8), "w8a8");
  EXPECT_EQ(Name(Precision::kW4), "w4");
}

TEST(Precision, DefaultsMayBeWrittenOut) {
  EXPECT_EQ(ParsePrecision("w4:32"), ParsePrecision("w4"));
  EXPECT_EQ(ParsePrecision("w8a8:row"), ParsePrecision("w8a8"));
  EXPECT_EQ(ParsePrecision("w4-uniform"), ParsePrecision("w4"));
}

TEST(Precision, RefusesWhatIsNoPrecision) {
  const std::pair<const char*, const char*> cases[] = {
      {"w5", "unknown precision 'w5'"},
      {"", "unknown precision ''"},
      {"w4:33", "the block '33' is none of 16, 32"},
      {"w4:", "the block ''"},
      {"w4-nf5", "unknown levels 'nf5'; did you mean 'nf4'"},
      {"w8-nf4", "such levels are for 4 bits"},
      {"w3-kmeans", "such levels are for 4 bits or 2"},
      {"w8a8:32", "integer products need one scale for each output"},
      {"w8a8-asymmetric", "integer products need weights without a zero"},
      {"w4x", "'x' is too much"},
  };
  for (const auto& [word, message] : cases) {
    try {
      ParsePrecision(word);
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), testing::HasSubstr(message)) << word;
    }
  }
}

TEST(Precision, TablesTakeAFewWords) {
  for (const char* word : {"f32", "w8", "w4:row", "w2:row"}) {
    EXPECT_EQ(Name(ParseTablePrecision(word)), word);
  }
  for (const char* word : {"w4", "w3:row", "w8a8", "w8:tensor", "w8-asymmetric",
                           "w4-nf4:row", "w2-kmeans:row"}) {
    try {
      ParseTablePrecision(word);
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), testing::HasSubstr("use one of \"f32\""))
          << word;
    }
  }
  EXPECT_THROW(ParseTablePrecision("w5"), Error);
}

TEST(Precision, BlocksAndScales) {
  const Precision w4 = ParsePrecision("w4");
  EXPECT_EQ(BlockFor(w4, 128), 32);
  EXPECT_EQ(BlockFor(w4, 48), 16);
  EXPECT_EQ(BlockFor(w4, 7), 1);
  EXPECT_EQ(BlockFor(ParsePrecision("w4:row"), 48), 48);
  EXPECT_EQ(ScaleCount(w4, 10, 64), 20);
  EXPECT_EQ(ScaleCount(ParsePrecision("w8"), 10, 64), 10);
  EXPECT_EQ(ScaleCount(ParsePrecision("w8:tensor"), 10, 64), 1);
  EXPECT_EQ(CodeBytes(ParsePrecision("w3"), 16), 6);
  EXPECT_EQ(CodeBytes(w4, 3), 2);
}

}  // namespace
}  // namespace hone
