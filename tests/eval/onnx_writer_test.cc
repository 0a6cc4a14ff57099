#include "eval/export/onnx_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/export/onnx_reader.h"
#include "space/base/error.h"

namespace hone {
namespace {

using ::testing::ElementsAre;

TEST(PackCodes, PutsTheEarlierValueInTheLowBits) {
  const std::vector<std::uint8_t> values = {1, 2, 0xFF, 0xF8, 7};
  // 0x1 and 0x2; 0xF and 0x8; 0x7 alone.
  EXPECT_EQ(PackCodes(values, 4), std::string("\x21\x8F\x07"));
  // 01 10 11 00; 11.
  EXPECT_EQ(PackCodes(values, 2), std::string("\x39\x03", 2));
  // 1 0 1 0 1.
  EXPECT_EQ(PackCodes(values, 1), std::string("\x15"));
  EXPECT_EQ(PackCodes(values, 8), std::string("\x01\x02\xFF\xF8\x07"));
}

TEST(OnnxWriter, KnownBytesOfTheSmallestModel) {
  // ir_version 10; producer "hone"; graph {name "classifier"};
  // opset_import {domain "", version 21}.
  const std::string expected = std::string("\x08\x0A\x12\x04hone", 8) +
                               std::string("\x3A\x0C\x12\x0A", 4) +
                               "classifier" +
                               std::string("\x42\x04\x0A\x00\x10\x15", 6);
  EXPECT_EQ(OnnxWriter().Serialize({}), expected);
}

TEST(OnnxWriter, EverythingWrittenCanBeReadBack) {
  OnnxWriter writer;
  writer.AddInput("x", OnnxType::kInt64, {"batch", std::int64_t{7}});
  writer.AddConstant("w", {OnnxType::kInt4, {3, 1}, std::string("\x21\x03")});
  writer.AddNode("Made", "y", {"x", "w"},
                 {{"axis", std::int64_t{-1}},
                  {"epsilon", 0.5f},
                  {"perm", std::vector<std::int64_t>{1, 0}}});
  writer.AddOutput("y", OnnxType::kFloat, {"batch", std::int64_t{3}});
  const ReadModel model = ReadOnnx(writer.Serialize({{"b", "2"}, {"a", "1"}}));

  EXPECT_EQ(model.ir_version, 10);
  EXPECT_EQ(model.producer, "hone");
  EXPECT_EQ(model.opsets, (std::map<std::string, std::int64_t>{{"", 21}}));
  EXPECT_EQ(model.metadata,
            (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(model.inputs.at("x").type, 7);
  EXPECT_THAT(model.inputs.at("x").dims, ElementsAre("batch", "7"));
  EXPECT_EQ(model.outputs.at("y").type, 1);
  EXPECT_THAT(model.outputs.at("y").dims, ElementsAre("batch", "3"));
  const ReadTensor& constant = model.constants.at("w");
  EXPECT_EQ(constant.type, 22);
  EXPECT_THAT(constant.dims, ElementsAre(3, 1));
  EXPECT_EQ(constant.bytes, std::string("\x21\x03"));
  ASSERT_EQ(model.nodes.size(), 1u);
  const ReadNode& node = model.nodes[0];
  EXPECT_EQ(node.op, "Made");
  EXPECT_THAT(node.inputs, ElementsAre("x", "w"));
  EXPECT_THAT(node.outputs, ElementsAre("y"));
  EXPECT_EQ(node.integers.at("axis"), -1);
  EXPECT_EQ(node.floats.at("epsilon"), 0.5f);
  EXPECT_THAT(node.lists.at("perm"), ElementsAre(1, 0));
  EXPECT_EQ(node.types, (std::map<std::string, std::int32_t>{
                            {"axis", 2}, {"epsilon", 1}, {"perm", 7}}));
}

TEST(OnnxWriter, RefusesANameTwiceAndAnUnknownInput) {
  OnnxWriter writer;
  writer.AddInput("x", OnnxType::kFloat, {});
  EXPECT_THROW(writer.AddConstant("x", {}), Error);
  EXPECT_THROW(writer.AddNode("Abs", "x", {"x"}), Error);
  EXPECT_THROW(writer.AddNode("Abs", "y", {"nowhere"}), Error);
  EXPECT_THROW(writer.AddOutput("nowhere", OnnxType::kFloat, {}), Error);
}

}  // namespace
}  // namespace hone
