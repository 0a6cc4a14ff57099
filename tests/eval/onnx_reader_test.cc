#include "eval/export/onnx_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "eval/export/onnx_export.h"
#include "eval/export/onnx_writer.h"
#include "space/base/error.h"
#include "tests/eval/reference_network.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What ReadOnnx says of damaged bytes; empty when it reads them.
std::string Complaint(const std::string& bytes) {
  try {
    ReadOnnx(bytes, "folder/model.onnx");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
    EXPECT_THAT(error.what(), HasSubstr("folder/model.onnx: damaged: "));
    return error.what();
  }
  return "";
}

// A model whose graph holds these encoded fields.
std::string ModelOf(const std::string& graph) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_message(7, graph);
  std::string opset;
  protozero::pbf_writer(opset).add_int64(2, 21);
  out.add_message(8, opset);
  return bytes;
}

std::string Field(std::uint32_t number, const std::string& message) {
  std::string bytes;
  protozero::pbf_writer(bytes).add_message(number, message);
  return bytes;
}

std::string SmallModel() {
  OnnxWriter writer;
  writer.AddInput("x", OnnxType::kFloat, {"batch", std::int64_t{3}});
  writer.AddConstant("w", {OnnxType::kInt4, {3, 1}, std::string("\x21\x03")});
  writer.AddNode("Made", "y", {"x", "w"}, {{"axis", std::int64_t{-1}}});
  writer.AddOutput("y", OnnxType::kFloat, {"batch", std::int64_t{3}});
  return writer.Serialize({{"max_tokens", "12"}});
}

TEST(ReadOnnx, ReadsEveryKindOfExportedNetwork) {
  for (const NetworkCase& one : NetworkCases(16, Precision::kF32)) {
    for (const auto& [name, bytes] :
         ExportOnnx(one.architecture, one.task,
                    RandomWeights(one.architecture, one.task, 5), {})) {
      const ReadModel model = ReadOnnx(bytes, name);
      EXPECT_EQ(model.opsets.at(""), OnnxVersions{}.opset) << one.name;
      EXPECT_GT(model.CountOps("MatMul"), 0) << one.name;
    }
  }
}

// A file that ends early is either refused or lacks what stood behind.
TEST(ReadOnnx, NoPrefixOfAFileIsTakenForTheWhole) {
  const std::string bytes = SmallModel();
  ASSERT_EQ(Complaint(bytes), "");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string part = bytes.substr(0, size);
    if (Complaint(part).empty()) {
      EXPECT_TRUE(ReadOnnx(part).metadata.empty()) << size;
    }
  }
}

// Any changed byte is read or refused as damaged, never another error.
TEST(ReadOnnx, ChangedBytesAreReadOrRefused) {
  const std::string bytes = SmallModel();
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int mask : {0x01, 0x08, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ mask);
      refused += !Complaint(changed).empty();
    }
  }
  EXPECT_GT(refused, static_cast<int>(bytes.size()));
}

TEST(ReadOnnx, SaysWhatIsWrong) {
  EXPECT_THAT(Complaint(""), HasSubstr("opset"));
  EXPECT_THAT(Complaint("no ONNX file at all"), HasSubstr("no ONNX file"));
  // A node that reads what nobody makes: Abs(nowhere) -> y.
  std::string node;
  protozero::pbf_writer out(node);
  out.add_string(1, "nowhere");
  out.add_string(2, "y");
  out.add_string(4, "Abs");
  EXPECT_THAT(Complaint(ModelOf(Field(1, node))), HasSubstr("'nowhere'"));
}

TEST(ReadOnnx, ConstantsHaveAsManyBytesAsTheirShapeAsksFor) {
  const auto constant = [](std::int64_t size, std::int32_t type,
                           const std::string& raw) {
    std::string bytes;
    protozero::pbf_writer out(bytes);
    out.add_int64(1, size);
    out.add_int32(2, type);
    out.add_string(8, "w");
    out.add_bytes(9, raw);
    return ModelOf(Field(5, bytes));
  };
  EXPECT_EQ(Complaint(constant(3, 22, "ab")), "");    // i4
  EXPECT_EQ(Complaint(constant(5, 25, "ab")), "");    // u2
  EXPECT_EQ(Complaint(constant(2, 10, "abcd")), "");  // f16
  EXPECT_THAT(Complaint(constant(3, 22, "abc")), HasSubstr("'w'"));
  EXPECT_THAT(Complaint(constant(2, 1, "ab")), HasSubstr("ask for 8"));
  EXPECT_THAT(Complaint(constant(-2, 1, "")), HasSubstr("-2"));
  EXPECT_THAT(Complaint(constant(std::int64_t{1} << 62, 1, "")),
              HasSubstr("2^40"));
  EXPECT_THAT(Complaint(constant(1, 8, "a")), HasSubstr("element type 8"));
  EXPECT_THAT(Complaint(constant(1, 99, "a")), HasSubstr("element type 99"));
}

// As other writers have them: dims packed, values in typed fields.
TEST(ReadOnnx, ReadsPackedShapesAndTypedValues) {
  const std::vector<std::int64_t> dims = {2, 2};
  const std::vector<std::int64_t> whole = {1, -2, 300, 4};
  std::string bytes;
  {
    protozero::pbf_writer out(bytes);
    out.add_packed_int64(1, dims.begin(), dims.end());
    out.add_int32(2, static_cast<std::int32_t>(OnnxType::kInt64));
    out.add_packed_int64(7, whole.begin(), whole.end());
    out.add_string(8, "w");
  }
  const ReadTensor tensor =
      ReadOnnx(ModelOf(Field(5, bytes))).constants.at("w");
  EXPECT_THAT(tensor.dims, ElementsAre(2, 2));
  EXPECT_EQ(tensor.bytes,
            std::string(reinterpret_cast<const char*>(whole.data()),
                        4 * sizeof(std::int64_t)));
}

TEST(ReadOnnx, AConstantNodeIsAConstant) {
  std::string value;
  protozero::pbf_writer(value).add_int32(2, 3);
  protozero::pbf_writer(value).add_bytes(9, "a");
  std::string attribute;
  protozero::pbf_writer(attribute).add_string(1, "value");
  protozero::pbf_writer(attribute).add_message(5, value);
  std::string node;
  protozero::pbf_writer(node).add_string(2, "c");
  protozero::pbf_writer(node).add_string(4, "Constant");
  protozero::pbf_writer(node).add_message(5, attribute);
  const ReadModel model = ReadOnnx(ModelOf(Field(1, node)));
  EXPECT_EQ(model.constants.at("c").bytes, "a");
  EXPECT_TRUE(model.nodes.empty());
}

TEST(ReadOnnx, RefusesWhatItCannotHold) {
  std::string outside;
  protozero::pbf_writer(outside).add_string(8, "w");
  protozero::pbf_writer(outside).add_int32(14, 1);
  EXPECT_THAT(Complaint(ModelOf(Field(5, outside))), HasSubstr("another file"));
  EXPECT_THAT(Complaint(ModelOf(Field(15, ""))), HasSubstr("sparse"));
  OnnxWriter writer;
  writer.AddConstant("w", {OnnxType::kInt8, {1}, "a"});
  const std::string one = writer.Serialize({});
  EXPECT_EQ(Complaint(one), "");
  // The same graph twice: messages of a field are read one after another.
  EXPECT_THAT(Complaint(one + one), HasSubstr("two values are called 'w'"));
}

TEST(OnnxTypeName, IsWhatEnginesSay) {
  EXPECT_EQ(OnnxTypeName(1), "f32");
  EXPECT_EQ(OnnxTypeName(22), "i4");
  EXPECT_EQ(OnnxTypeBits(25), 2);
  EXPECT_THROW(OnnxTypeName(0), Error);
}

}  // namespace
}  // namespace hone
