#include "space/architecture.h"

#include <gtest/gtest.h>

#include "space/base/error.h"

namespace hone {
namespace {

const Architecture kExample = {{128},
                               {{FullAttention{4}, {256}, Precision::kW8A8},
                                {FullAttention{4}, {256}, Precision::kW8A8},
                                {LocalAttention{2, 8}, {128}, Precision::kW4}}};

constexpr char kText[] =
    R"({"blocks":[{"attention":{"heads":4,"kind":"full"},)"
    R"("feed_forward":{"width":256},"precision":"w8a8"},)"
    R"({"attention":{"heads":4,"kind":"full"},)"
    R"("feed_forward":{"width":256},"precision":"w8a8"},)"
    R"({"attention":{"heads":2,"kind":"local","window":8},)"
    R"("feed_forward":{"width":128},"precision":"w4"}],)"
    R"("stem":{"d_model":128}})";

TEST(Architecture, CanonicalTextAndBack) {
  EXPECT_EQ(CanonicalText(kExample), kText);
  EXPECT_EQ(ArchitectureFromJson(ParseJson(kText, "t"), "t"), kExample);
  EXPECT_EQ(ShortText(kExample),
            "d128 L3 [h4 f256 full w8a8 x2 | h2 f128 local:8 w4]");
}

TEST(Architecture, HashIsTheIdentity) {
  Architecture other = kExample;
  EXPECT_EQ(ArchitectureHash(other), ArchitectureHash(kExample));
  other.blocks[2].attention = LocalAttention{2, 9};
  EXPECT_NE(ArchitectureHash(other), ArchitectureHash(kExample));
  other = kExample;
  other.blocks[0].precision = Precision::kW4;
  EXPECT_EQ(WithoutPrecision(other), WithoutPrecision(kExample));
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
  refused(R"("heads":4)", R"("heads":0)", "blocks[0].attention.heads");
  refused(R"("heads":4)", R"("head":4)", "'heads' is missing");
  refused(R"("kind":"local")", R"("kind":"locale")", "did you mean 'local'");
  refused(R"("w4")", R"("w5")", "did you mean 'w4'");
  refused(R"("stem")", R"("stern")", "'stem' is missing");
  refused(R"({"d_model":128})", R"({"d_model":128,"x":1})", "unknown key 'x'");
  refused(R"("width":128)", R"("width":1.5)", "whole number");
}

}  // namespace
}  // namespace hone
