#include <cmath>
#include <functional>

#include <gmock/gmock.h>

#include "eval/export/onnx_export.h"
#include "eval/export/onnx_writer.h"
#include "eval/export/tensorrt_check.h"
#include "space/base/error.h"
#include "tests/eval/hand_made.h"
#include "tests/eval/reference_network.h"
#include "tests/eval/symmetric.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NamedTensors Quantized(const NetworkCase& one) {
  return QuantizeByRange(one.architecture, one.task,
                         RandomWeights(one.architecture, one.task, 5),
                         RandomInput(2 * 9, one.task, 3), 2, 9);
}

ReadModel Written(const NetworkCase& one, const NamedTensors& weights,
                  ExportTarget target) {
  return ReadOnnx(ExportOnnx(one.architecture, one.task, weights, {}, target)
                      .at(kModelFile));
}

ReadModel ForTensorRt(const Precision& precision) {
  const NetworkCase one = EncoderCase("full", {32}, precision);
  return Written(one, Symmetric(Quantized(one)), ExportTarget::kTensorRt);
}

std::vector<std::string> Rules(const ReadModel& model) {
  std::vector<std::string> rules;
  for (const TensorRtViolation& violation : CheckForTensorRt(model)) {
    rules.push_back(violation.rule);
  }
  return rules;
}

TEST(TensorRtExport, BreaksNoRule) {
  std::vector<NetworkCase> cases = NetworkCases(16, Precision::kW8A8);
  for (const char* word : {"f32", "w8a8:tensor"}) {
    cases.push_back(EncoderCase("full", {32}, ParsePrecision(word)));
  }
  for (const NetworkCase& one : cases) {
    const NamedTensors weights = Symmetric(Quantized(one));
    for (const auto& [file, bytes] :
         ExportOnnx(one.architecture, one.task, weights, {},
                    ExportTarget::kTensorRt)) {
      const ReadModel model = ReadOnnx(bytes);
      EXPECT_THAT(Rules(model), IsEmpty()) << one.name << " " << file;
      EXPECT_EQ(model.opsets.at(""), 20);
      EXPECT_EQ(model.ir_version, 9);
    }
  }
}

TEST(TensorRtExport, KeepsEveryQuantizedLayer) {
  const ReadModel model = ForTensorRt(Precision::kW8A8);
  // Two blocks: one quantizer for query, key and value, and three more.
  EXPECT_EQ(model.CountOps("QuantizeLinear"), 2 * 4);
  // Of each the dequantizer, and one for each of six weights.
  EXPECT_EQ(model.CountOps("DequantizeLinear"), 2 * (4 + 6));
}

TEST(TensorRtExport, RefusesOtherPrecisionsAndNamesTheLayer) {
  for (const Precision& precision : EveryPrecision()) {
    if (precision.IsFloat() ||
        (precision.weight_bits == 8 && precision.int8_activations)) {
      continue;
    }
    const NetworkCase one = EncoderCase("full", {64}, precision);
    try {
      Written(one, Symmetric(Quantized(one)), ExportTarget::kTensorRt);
      FAIL() << Name(precision);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr("encoder.0.attention.query"));
      EXPECT_THAT(error.what(), HasSubstr("use f32 or w8a8"));
    }
  }
}

TEST(TensorRtExport, RefusesTablesAndProductsInFewBits) {
  NetworkCase table = EncoderCase("full", {32}, Precision::kF32);
  table.architecture.stem.embedding = ParsePrecision("w8");
  NetworkCase products = EncoderCase("full", {32}, Precision::kF32);
  products.architecture.encoder[1].products = AttentionProducts::kA8;
  NetworkCase halves = EncoderCase("full", {32}, Precision::kF32);
  halves.architecture.stem.compute = Compute::kBf16;
  for (const auto& [one, part] :
       {std::pair(halves, "the network is computed in bf16"),
        std::pair(table, "the token table is w8"),
        std::pair(products,
                  "the attention of 'encoder.1' is computed in a8")}) {
    try {
      CheckServed(one.architecture, ExportTarget::kTensorRt);
      FAIL() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
    EXPECT_NO_THROW(CheckServed(one.architecture, ExportTarget::kOnnx));
  }
}

TEST(TensorRtExport, RefusesAsymmetricActivations) {
  const NetworkCase one = EncoderCase("full", {32}, Precision::kW8A8);
  try {
    Written(one, Quantized(one), ExportTarget::kTensorRt);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(),
                HasSubstr("quantization.symmetric_activations = true"));
  }
}

ReadNode& First(ReadModel& model, const std::string& op,
                const std::string& reads = "") {
  for (ReadNode& node : model.nodes) {
    if (node.op != op) continue;
    for (const std::string& input : node.inputs) {
      if (input.find(reads) != std::string::npos) return node;
    }
  }
  throw Error(ErrorCode::kInternal, "no such node");
}

struct Breach {
  std::string name;
  std::string rule;
  std::function<void(ReadModel&)> commit;
};

void PrintTo(const Breach& breach, std::ostream* out) { *out << breach.name; }

std::vector<Breach> Breaches() {
  const std::string weight = "encoder.0.feed_forward.up.weight";
  const auto scale_of = [](ReadModel& model, const std::string& constant,
                           float value) {
    ReadTensor& scale = model.constants.at(constant);
    scale.bytes.replace(0, 4, reinterpret_cast<const char*>(&value), 4);
  };
  return {
      {"opset", "opset", [](ReadModel& model) { model.opsets[""] = 21; }},
      {"unsigned", "type",
       [](ReadModel& model) { model.constants.at("zero_point_128").type = 2; }},
      {"noZeroPoint", "type",
       [](ReadModel& model) {
         First(model, "QuantizeLinear").inputs.resize(2);
       }},
      {"shifted", "zero-point",
       [](ReadModel& model) {
         model.constants.at("zero_point_128").bytes = "\x05";
       }},
      {"computedZeroPoint", "zero-point",
       [](ReadModel& model) {
         ReadNode& node = First(model, "QuantizeLinear");
         node.inputs[2] = node.inputs[0];
       }},
      {"codesOfAnotherType", "type",
       [=](ReadModel& model) { model.constants.at(weight).type = 2; }},
      {"scaleOfZero", "scale",
       [=](ReadModel& model) { scale_of(model, weight + "_scale", 0); }},
      {"scaleNotANumber", "scale",
       [=](ReadModel& model) {
         scale_of(model, weight + "_scale", std::nanf(""));
       }},
      {"computedScale", "scale",
       [](ReadModel& model) {
         ReadNode& node = First(model, "QuantizeLinear");
         node.inputs[1] = node.inputs[0];
       }},
      {"activationsByChannel", "scale",
       [=](ReadModel& model) {
         First(model, "QuantizeLinear").inputs[1] = weight + "_scale";
       }},
      {"scalesOfInputs", "axis",
       [=](ReadModel& model) {
         First(model, "DequantizeLinear", weight).integers["axis"] = 1;
       }},
      {"blocks", "block",
       [=](ReadModel& model) {
         First(model, "DequantizeLinear", weight).integers["block_size"] = 16;
       }},
      {"tableOfLevels", "packed",
       [=](ReadModel& model) {
         ReadNode gather;
         gather.op = "Gather";
         gather.inputs = {weight, "integer"};
         gather.outputs = {"looked_up"};
         model.constants["integer"] = {7, {1}, std::string(8, '\0')};
         First(model, "DequantizeLinear", weight).inputs[0] = "looked_up";
         model.nodes.insert(model.nodes.begin(), gather);
       }},
      {"widestCode", "range",
       [=](ReadModel& model) { model.constants.at(weight).bytes[3] = '\x80'; }},
      {"floatActivations", "both-operands",
       [](ReadModel& model) {
         ReadNode& product =
             First(model, "MatMul", "encoder.0.attention.output/Transpose");
         for (const ReadNode& node : model.nodes) {
           if (node.outputs[0] != product.inputs[0]) continue;
           const std::string quantized = node.inputs[0];
           for (const ReadNode& maker : model.nodes) {
             if (maker.outputs[0] == quantized) {
               product.inputs[0] = maker.inputs[0];
               return;
             }
           }
         }
         throw Error(ErrorCode::kInternal, "no quantizer");
       }},
  };
}

class TensorRtRule : public ::testing::TestWithParam<Breach> {};

TEST_P(TensorRtRule, IsFoundWithItsNode) {
  ReadModel model = ForTensorRt(Precision::kW8A8);
  GetParam().commit(model);
  const auto violations = CheckForTensorRt(model);
  EXPECT_THAT(Rules(model), Contains(GetParam().rule));
  for (const TensorRtViolation& violation : violations) {
    EXPECT_EQ(violation.node.empty(), violation.rule == "opset");
    EXPECT_FALSE(violation.what.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Breaches, TensorRtRule,
                         ::testing::ValuesIn(Breaches()),
                         [](const auto& info) { return info.param.name; });

// What the exporter writes for other engines breaks the rules by its nature.
TEST(TensorRtCheck, FindsWhatOtherFilesBreak) {
  const auto rules_of = [](const char* word) {
    const NetworkCase one = EncoderCase("full", {64}, ParsePrecision(word));
    return Rules(Written(one, Quantized(one), ExportTarget::kOnnx));
  };
  EXPECT_THAT(rules_of("f32"), ::testing::ElementsAre("opset"));
  EXPECT_THAT(rules_of("w8a8"), Contains("type"));
  EXPECT_THAT(rules_of("w4"), Contains("block"));
  EXPECT_THAT(rules_of("w8"), Contains("both-operands"));
  EXPECT_THAT(rules_of("w2a8"), Contains("packed"));
}

TEST(TensorRtCheck, ReadsFilesOfOtherPrograms) {
  const auto rules = Rules(ReadOnnx(HandMadeModel()));
  EXPECT_THAT(rules, Contains("packed"));
  EXPECT_THAT(rules, Contains("both-operands"));
}

}  // namespace
}  // namespace hone
