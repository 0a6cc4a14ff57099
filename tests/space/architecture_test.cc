#include "space/architecture.h"

#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

const Architecture kExample = {{128},
                               {{MultiHead(4), {256}, Precision::kW8A8},
                                {MultiHead(4), {256}, Precision::kW8A8},
                                {LocalAttention{2, 8}, {128}, Precision::kW4}}};

constexpr char kText[] =
    R"({"decoder":[],"encoder":[)"
    R"({"attention":{"heads":4,"kind":"full","kv_heads":4},)"
    R"("feed_forward":{"activation":"gelu","width":256},"precision":"w8a8"},)"
    R"({"attention":{"heads":4,"kind":"full","kv_heads":4},)"
    R"("feed_forward":{"activation":"gelu","width":256},"precision":"w8a8"},)"
    R"({"attention":{"heads":2,"kind":"local","window":8},)"
    R"("feed_forward":{"activation":"gelu","width":128},"precision":"w4"}],)"
    R"("stem":{"d_model":128,"norm":"layer","norm_place":"pre",)"
    R"("output":"tied","positions":"learned"}})";

TEST(Architecture, CanonicalTextAndBack) {
  EXPECT_EQ(CanonicalText(kExample), kText);
  EXPECT_EQ(ArchitectureFromJson(ParseJson(kText, "t"), "t"), kExample);
  EXPECT_EQ(ShortText(kExample),
            "d128 L3 [h4 f256 full w8a8 x2 | h2 f128 local:8 w4]");
}

TEST(Architecture, HashIsTheIdentity) {
  Architecture other = kExample;
  EXPECT_EQ(ArchitectureHash(other), ArchitectureHash(kExample));
  other.encoder[2].attention = LocalAttention{2, 9};
  EXPECT_NE(ArchitectureHash(other), ArchitectureHash(kExample));
  other = kExample;
  other.encoder[0].precision = Precision::kW4;
  EXPECT_EQ(WithoutPrecision(other), WithoutPrecision(kExample));
}

TEST(Architecture, TablesOfTokensAreWrittenWhereTheyAreNotPlain) {
  Architecture other = kExample;
  other.stem.embedding = ParsePrecision("w4:row");
  EXPECT_EQ(WithoutPrecision(other), WithoutPrecision(kExample));
  other.stem.embedding_rank = 32;
  EXPECT_EQ(WithoutPrecision(other).stem.embedding_rank, 32);
  const std::string text = CanonicalText(other);
  EXPECT_NE(
      text.find(
          R"("stem":{"d_model":128,"embedding":"w4:row","embedding_rank":32,)"),
      std::string::npos)
      << text;
  EXPECT_EQ(ArchitectureFromJson(ParseJson(text, "t"), "t"), other);
  EXPECT_EQ(ShortText(other).substr(0, 24), "d128 table r32 w4:row L3");
  for (const NetworkCase& one : TableCases(32)) {
    EXPECT_EQ(ArchitectureFromJson(ToJson(one.architecture), "t"),
              one.architecture)
        << one.name;
  }
}

TEST(Architecture, ComputeIsWrittenWhereItIsNotF32) {
  Architecture other = kExample;
  other.stem.compute = Compute::kBf16;
  EXPECT_EQ(WithoutPrecision(other), WithoutPrecision(kExample));
  const std::string text = CanonicalText(other);
  EXPECT_NE(text.find(R"("stem":{"compute":"bf16","d_model":128,)"),
            std::string::npos)
      << text;
  EXPECT_EQ(ArchitectureFromJson(ParseJson(text, "t"), "t"), other);
  EXPECT_EQ(ShortText(other).substr(0, 12), "d128 bf16 L3");
}

TEST(Architecture, RefusesWhatItDoesNotKnow) {
  const auto refused = [](const std::string& from, const std::string& to,
                          const std::string& message) {
    std::string text = kText;
    text.replace(text.find(from), from.size(), to);
    try {
      ArchitectureFromJson(ParseJson(text, "a.json"), "a.json");
      FAIL() << to;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  };
  refused(R"("heads":4)", R"("heads":3)", "3 does not divide d_model 128");
  refused(R"("heads":4)", R"("heads":0)", "encoder[0].attention.heads");
  refused(R"("kv_heads":4)", R"("kv_heads":3)", "3 does not divide heads 4");
  refused(R"("positions":"learned")", R"("positions":"learnt")",
          "did you mean 'learned'");
  refused(R"("heads":4)", R"("head":4)", "'heads' is missing");
  refused(R"("kind":"local")", R"("kind":"locale")", "did you mean 'local'");
  refused(R"("w4")", R"("w5")", "did you mean 'w8'");
  refused(R"("stem")", R"("stern")", "'stem' is missing");
  refused(R"({"d_model":128,)", R"({"x":1,"d_model":128,)", "unknown key 'x'");
  refused(R"("width":128)", R"("width":1.5)", "whole number");
  refused(R"("stem":{)", R"("stem":{"embedding":"w5",)",
          "a.json.stem.embedding: unknown precision 'w5'");
  refused(R"("stem":{)", R"("stem":{"embedding":"w4",)",
          "a.json.stem.embedding: w4 is not for tables; use one of");
  refused(R"("stem":{)", R"("stem":{"embedding_rank":128,)",
          "a.json.stem.embedding_rank: 128 is not below d_model 128");
  refused(R"("stem":{)", R"("stem":{"embedding_rank":0,)", "from 1 to");
  refused(R"("stem":{)", R"("stem":{"compute":"bf15",)",
          "a.json.stem.compute: unknown word 'bf15'; did you mean 'bf16'");
}

TEST(Architecture, EveryKindRoundTrips) {
  for (const NetworkCase& one : NetworkCases(32, Precision::kW4)) {
    const std::string text = CanonicalText(one.architecture);
    EXPECT_EQ(ArchitectureFromJson(ParseJson(text, "t"), "t"), one.architecture)
        << one.name;
    EXPECT_EQ(TopologyOf(one.architecture), one.task.topology) << one.name;
    for (const BlockSpec& block : AllBlocks(one.architecture)) {
      const auto again =
          WithHeads(ParseAttention(AttentionName(block.attention)),
                    Heads(block.attention));
      EXPECT_EQ(again, block.attention) << one.name;
    }
  }
}

TEST(Architecture, RefusesWhatDoesNotFitTogether) {
  const auto refused = [](const Architecture& architecture,
                          const std::string& message) {
    try {
      CheckArchitecture(architecture, "a");
      FAIL() << message;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << error.what();
    }
  };
  const BlockSpec full = BlockOf("full", 2, 8, Precision::kF32);
  BlockSpec crossed = full;
  crossed.cross = CrossAttentionSpec{2, 2};
  refused({{8}, {}, {BlockOf("linformer:4", 2, 8, Precision::kF32)}},
          "a.decoder[0].attention: linformer:4 mixes later tokens");
  refused({{8}, {full}, {full}}, "a.decoder[0].cross: missing");
  refused({{8}, {}, {crossed}}, "there is no encoder to attend to");
  refused({{8}, {full}, {crossed}}, "2 of 1 encoder blocks");
  refused({{8}, {crossed}, {}}, "only decoder blocks");
  refused({{6, Positions::kRotary}, {full}}, "rotary positions turn pairs");
  refused({{8}, {}}, "at least one block");
  CheckArchitecture({{8}, {full, full}, {crossed}}, "a");
}

TEST(ParseAttention, SaysWhatWouldBeRight) {
  for (const char* word :
       {"local", "local:", "local:0", "strided:x", "linformer",
        "linformer:4:heads", "full:", "performer:-1", "linear:3", "fulll"}) {
    EXPECT_THROW(ParseAttention(word), Error) << word;
  }
}

}  // namespace
}  // namespace hone
