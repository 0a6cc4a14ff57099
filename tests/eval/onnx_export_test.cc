#include "eval/export/onnx_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/export/onnx_reader.h"
#include "eval/export/onnx_writer.h"
#include "space/base/error.h"
#include "tests/eval/reference_network.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TaskShape kTask = ClassifierShape(100, 5, 12);

Architecture Make(std::int64_t d_model, std::vector<Precision> precisions,
                  AttentionSpec attention = MultiHead(2)) {
  Architecture architecture{{d_model}, {}};
  for (const Precision precision : precisions) {
    architecture.encoder.push_back({attention, {2 * d_model}, precision});
  }
  return architecture;
}

NamedTensors Quantized(const Architecture& architecture) {
  const auto tokens = RandomTokens(2 * 6, kTask.vocabulary, 1);
  return QuantizeByRange(architecture, kTask,
                         RandomWeights(architecture, kTask, 2), tokens, 2, 6);
}

std::string Export(const Architecture& architecture) {
  return ExportOnnx(architecture, kTask, Quantized(architecture), {})
      .at(kModelFile);
}

std::string MessageOf(const Architecture& architecture,
                      const NamedTensors& weights) {
  try {
    ExportOnnx(architecture, kTask, weights, {}).at(kModelFile);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    return error.what();
  }
  return "";
}

TEST(ExportOnnx, DeclaresDynamicTokensAndLogits) {
  const ReadModel model = ReadOnnx(Export(Make(32, {Precision::kF32})));
  ASSERT_EQ(model.inputs.size(), 1u);
  EXPECT_EQ(model.inputs.at("tokens").type, 7);
  EXPECT_THAT(model.inputs.at("tokens").dims, ElementsAre("batch", "tokens"));
  ASSERT_EQ(model.outputs.size(), 1u);
  EXPECT_THAT(model.outputs.at("logits").dims, ElementsAre("batch", "5"));
}

TEST(ExportOnnx, BytesAreAFunctionOfTheArguments) {
  const Architecture architecture =
      Make(32, {Precision::kW8A8, Precision::kW4, Precision::kF32},
           LocalAttention{2, 3});
  const NamedTensors weights = Quantized(architecture);
  const std::map<std::string, std::string> metadata = {{"trial", "7"}};
  const std::string bytes =
      ExportOnnx(architecture, kTask, weights, metadata).at(kModelFile);
  EXPECT_EQ(bytes,
            ExportOnnx(architecture, kTask, weights, metadata).at(kModelFile));
  EXPECT_EQ(ReadOnnx(bytes).metadata,
            (std::map<std::string, std::string>{{"max_tokens", "12"},
                                                {"trial", "7"}}));
}

TEST(ExportOnnx, QueryKeyAndValueShareOneQuantizedInput) {
  const ReadModel model = ReadOnnx(Export(Make(32, {Precision::kW8A8})));
  // Inputs of: query = key = value, output, up, down.
  EXPECT_EQ(model.CountOps("QuantizeLinear"), 4);
  // The same and six weights.
  EXPECT_EQ(model.CountOps("DequantizeLinear"), 4 + 6);
  const ReadTensor& weight =
      model.constants.at("encoder.0.attention.query.weight");
  EXPECT_EQ(weight.type, static_cast<std::int32_t>(OnnxType::kInt8));
  EXPECT_THAT(weight.dims, ElementsAre(32, 32));
}

TEST(ExportOnnx, UnlikeScalesAreNotShared) {
  const Architecture architecture = Make(32, {Precision::kW8A8});
  NamedTensors weights = Quantized(architecture);
  *weights.at("encoder.0.attention.key.input_scale").data<float>() *= 2;
  const ReadModel model =
      ReadOnnx(ExportOnnx(architecture, kTask, weights, {}).at(kModelFile));
  EXPECT_EQ(model.CountOps("QuantizeLinear"), 5);
}

TEST(ExportOnnx, FourBitWeightsTakeHalfAByte) {
  const Architecture architecture = Make(64, {Precision::kW4});
  const NamedTensors weights = Quantized(architecture);
  const ReadModel model =
      ReadOnnx(ExportOnnx(architecture, kTask, weights, {}).at(kModelFile));
  const ReadTensor& up = model.constants.at("encoder.0.feed_forward.up.weight");
  EXPECT_EQ(up.type, static_cast<std::int32_t>(OnnxType::kInt4));
  EXPECT_THAT(up.dims, ElementsAre(64, 128));
  EXPECT_EQ(up.bytes.size(), 64u * 128 / 2);
  // Row 0 of the file is column 0 of the stored weight.
  const std::int8_t* stored =
      weights.at("encoder.0.feed_forward.up.weight").data<std::int8_t>();
  EXPECT_EQ(static_cast<unsigned char>(up.bytes[0]),
            (stored[0] & 0xF) | (stored[64] & 0xF) << 4);
  EXPECT_THAT(model.constants.at("encoder.0.feed_forward.up.weight_scale").dims,
              ElementsAre(2, 128));
}

TEST(ExportOnnx, BlocksWithOneWindowShareOneMask) {
  Architecture architecture =
      Make(32, {Precision::kF32, Precision::kF32, Precision::kF32},
           LocalAttention{2, 3});
  EXPECT_EQ(ReadOnnx(Export(architecture)).CountOps("LessOrEqual"), 1);
  architecture.encoder[1].attention = LocalAttention{2, 4};
  EXPECT_EQ(ReadOnnx(Export(architecture)).CountOps("LessOrEqual"), 2);
}

// The graph's own text must stay small beside the weights, whose bytes CostOf
// predicts; int8 biases add a scale for each output.
TEST(ExportOnnx, FilesAreAsLongAsTheCostModelSays) {
  for (const Precision& precision : EveryPrecision()) {
    const Architecture architecture = Make(128, {precision, precision});
    const auto predicted =
        static_cast<double>(CostOf(architecture, kTask, 1, 8).weight_bytes);
    const auto actual = static_cast<double>(Export(architecture).size());
    EXPECT_GE(actual, predicted) << Name(precision);
    // Tables of levels and the nodes that read them.
    const double text =
        precision.IsFloat() || precision.StoresIntegers() ? 14e3 : 21e3;
    EXPECT_LE(actual, predicted + 2 * text) << Name(precision);
  }
}

TEST(ExportOnnx, TablesAreAsLongAsTheCostModelSays) {
  const TaskShape task = ClassifierShape(700, 5, 12);
  for (const NetworkCase& one : TableCases(64)) {
    TaskShape shape = one.task;
    shape.vocabulary = task.vocabulary;
    const NamedTensors weights = QuantizeByRange(
        one.architecture, shape, RandomWeights(one.architecture, shape, 2),
        RandomTokens(2 * 6, shape.vocabulary, 1), 2, 6);
    const auto files = ExportOnnx(one.architecture, shape, weights, {});
    if (files.size() > 1) continue;  // both files have the table
    const auto predicted =
        static_cast<double>(CostOf(one.architecture, shape, 1, 8).weight_bytes);
    const auto actual = static_cast<double>(files.at(kModelFile).size());
    EXPECT_GE(actual, predicted) << one.name;
    EXPECT_LE(actual, predicted + 42e3) << one.name;
  }
}

// Rows of codes are read, and only then made floats.
TEST(ExportOnnx, TablesStayInTheirCodes) {
  Architecture architecture = Make(64, {Precision::kF32});
  architecture.stem.embedding = ParsePrecision("w2:row");
  architecture.stem.embedding_rank = 7;
  const NamedTensors weights = Quantized(architecture);
  const ReadModel model =
      ReadOnnx(ExportOnnx(architecture, kTask, weights, {}).at(kModelFile));
  const ReadTensor& table = model.constants.at("embedding.weight");
  EXPECT_EQ(table.type, static_cast<std::int32_t>(OnnxType::kUint8));
  EXPECT_THAT(table.dims, ElementsAre(100, 2));
  const auto* stored =
      weights.at("embedding.weight").data<std::uint8_t>() + 3 * 7;
  EXPECT_EQ(static_cast<unsigned char>(table.bytes[3 * 2]),
            stored[0] | stored[1] << 2 | stored[2] << 4 | stored[3] << 6);
  EXPECT_EQ(static_cast<unsigned char>(table.bytes[3 * 2 + 1]),
            stored[4] | stored[5] << 2 | stored[6] << 4);
  EXPECT_THAT(model.constants.at("embedding.weight_scale").dims,
              ElementsAre(100, 1));
  EXPECT_EQ(model.CountOps("DequantizeLinear"), 0);
  for (const char* name :
       {"embedding.weight", "embedding.weight_scale", "embedding.weight_levels",
        "embedding.expand.weight"}) {
    NamedTensors lacking = weights;
    lacking.erase(name);
    EXPECT_THAT(MessageOf(architecture, lacking), HasSubstr(name));
  }
  NamedTensors floats = weights;
  floats["embedding.weight"] =
      RandomWeights(architecture, kTask, 1).at("embedding.weight");
  EXPECT_THAT(MessageOf(architecture, floats), HasSubstr("embedding.weight"));
}

// Weights of 16 bits behind a Cast, but for codes and their scales.
TEST(ExportOnnx, Bf16WeightsAreStoredAsSuch) {
  Architecture architecture = Make(64, {Precision::kF32, Precision::kW8A8});
  const std::string plain = Export(architecture);
  EXPECT_FALSE(ReadOnnx(plain).metadata.contains(kComputeKey));
  architecture.stem.compute = Compute::kBf16;
  const NamedTensors weights = Quantized(architecture);
  const std::string bytes =
      ExportOnnx(architecture, kTask, weights, {}).at(kModelFile);
  const ReadModel model = ReadOnnx(bytes);
  EXPECT_EQ(model.metadata.at(kComputeKey), "bf16");
  std::int64_t halves = 0;
  for (const auto& [name, constant] : model.constants) {
    const auto weight = weights.find(name);
    if (weight == weights.end()) continue;
    const std::string type = OnnxTypeName(constant.type);
    if (weight->second.dtype != DType::kF32 || name.ends_with("scale")) {
      EXPECT_NE(type, "bf16") << name;
      continue;
    }
    ++halves;
    ASSERT_EQ(type, "bf16") << name;
    for (std::int64_t i = 0; i < weight->second.elements(); ++i) {
      // The upper half of each f32, whose lower half is 0.
      const char* value = weight->second.data<char>() + 4 * i;
      const auto at = static_cast<std::size_t>(2 * i);
      ASSERT_EQ(constant.bytes.substr(at, 2), std::string(value + 2, 2))
          << name;
      ASSERT_EQ(std::string(value, 2), std::string(2, '\0')) << name;
    }
  }
  EXPECT_GT(halves, 20);
  EXPECT_EQ(model.CountOps("Cast"), halves);
  const auto predicted =
      static_cast<double>(CostOf(architecture, kTask, 1, 8).weight_bytes);
  EXPECT_GE(static_cast<double>(bytes.size()), predicted);
  EXPECT_LE(static_cast<double>(bytes.size()), predicted + 20e3);
}

TEST(ExportOnnx, NamesAMissingWeight) {
  const Architecture architecture =
      Make(32, {Precision::kF32, Precision::kW8A8, Precision::kW4});
  for (const char* name :
       {"embedding.weight", "position.weight", "encoder.norm.bias",
        "encoder.0.attention.query.bias", "encoder.1.feed_forward.up.weight",
        "encoder.1.feed_forward.down.input_scale",
        "encoder.1.attention.key.input_zero_point",
        "encoder.1.attention.value.bias",
        "encoder.2.feed_forward.up.weight_scale",
        "encoder.2.feed_forward.up.weight", "classifier.weight"}) {
    NamedTensors weights = Quantized(architecture);
    weights.erase(name);
    EXPECT_THAT(MessageOf(architecture, weights), HasSubstr(name));
  }
}

TEST(ExportOnnx, NamesAWeightOfAnotherShapeOrType) {
  const Architecture architecture = Make(32, {Precision::kW8A8});
  NamedTensors weights = Quantized(architecture);
  weights.at("encoder.norm.weight").shape = {2, 16};
  EXPECT_THAT(MessageOf(architecture, weights), HasSubstr("[2,16]"));
  EXPECT_THAT(MessageOf(architecture, RandomWeights(architecture, kTask, 1)),
              HasSubstr("encoder.0.attention.query.weight"));
}

}  // namespace
}  // namespace hone
