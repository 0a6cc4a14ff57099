#include "experiments/inspection_report.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hone {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

EngineNode Node(const std::string& primitive, double microseconds) {
  EngineNode node;
  node.file = "model.onnx";
  node.values = {primitive + "/value"};
  node.layer = "FullyConnected";
  node.primitive = primitive;
  node.precision = "u8";
  node.inputs = {"u8", "i8"};
  node.microseconds = microseconds;
  return node;
}

InspectedProduct Product(const std::string& layer, const std::string& label,
                         std::size_t node) {
  InspectedProduct product;
  product.stored.layer = layer;
  product.stored.value = layer + "/MatMul";
  product.stored.activations = "u8";
  if (!label.empty()) {
    product.stored.weight = StoredWeight{};
    product.stored.weight->label = label;
    product.stored.weight->bytes = 123;
  }
  product.node = node;
  product.runs = "u8/i8";
  product.why = "in int8";
  return product;
}

// Three kernels of 60, 30 and 10 microseconds; products in the first two, the
// second of which serves two of them.
Inspection Example() {
  InspectedPhase phase{"model.onnx", "one inference", 0.11, {}, {}};
  phase.nodes = {Node("brgemm_avx512_amx_I8", 60), Node("jit_f32", 30),
                 Node("ref", 10), Node("tiny", 0)};
  phase.products = {Product("decoder.10.feed_forward.down", "w8a8", 0),
                    Product("decoder.0.attention (MatMul_11)", "", 1),
                    Product("decoder.0.attention (MatMul_18)", "", 1)};
  phase.products[2].shares_with = 1;
  InspectedProduct lost = Product("lost", "w2 table", 0);
  lost.node.reset();
  lost.runs = "-";
  lost.miss = true;
  lost.why = "not found: no kernel says that it computes this";
  phase.products.push_back(lost);
  const InspectedFile file{
      "model.onnx",
      1000,
      {{"tables", "f32", 600}, {"linears", "w8a8", 300}, {"rest", "", 100}}};
  return {{file}, {phase}};
}

TEST(InspectionPage, FitsIn80Columns) {
  Inspection example = Example();
  example.phases[0].run_ms = 0.0195234;
  for (EngineNode& node : example.phases[0].nodes) node.microseconds /= 9.7;
  example.phases[0].file = "encoder.onnx";
  std::istringstream lines(InspectionPage(example));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(InspectionPage, ShowsEachKernelsTimeOnceAndTheRest) {
  const std::string page = InspectionPage(Example());
  EXPECT_THAT(page, HasSubstr("  60.0  w8a8      u8/i8  a    "
                              "brgemm_avx512_amx_I8  decoder.10"));
  EXPECT_THAT(page, HasSubstr("  30.0  a8        u8/i8  a    jit_f32"));
  EXPECT_THAT(page, HasSubstr("     -  a8        u8/i8  b    jit_f32"));
  EXPECT_THAT(page, HasSubstr("     -  w2 table  -      c    -"));
  EXPECT_THAT(page, HasSubstr("  10.0"));
  EXPECT_THAT(page, HasSubstr("all that is no product"));
  EXPECT_THAT(page, HasSubstr("b    in int8; its kernel is that of another"));
  EXPECT_THAT(page, HasSubstr("too short for the engine's clock"));
}

TEST(InspectionPage, AddsUpBytes) {
  const std::string page = InspectionPage(Example());
  EXPECT_THAT(page, HasSubstr("  600     60.0  f32     model.onnx  tables"));
  EXPECT_THAT(page, HasSubstr("  300     30.0  w8a8    model.onnx  weights"));
  EXPECT_THAT(page, HasSubstr(" 1000    100.0                      all"));
}

TEST(InspectionPage, SaysWhenTheClockIsTooCoarse) {
  Inspection example = Example();
  EXPECT_THAT(InspectionPage(example), Not(HasSubstr("too coarse")));
  for (EngineNode& node : example.phases[0].nodes) node.microseconds /= 10;
  EXPECT_THAT(InspectionPage(example), HasSubstr("too coarse"));
}

TEST(InspectionJson, HoldsEveryNumber) {
  const Json json = ToJson(Example());
  const Json& phase = json["phases"][0];
  EXPECT_EQ(phase["kernels_ms"], 0.1);
  EXPECT_EQ(phase["products"].size(), 4u);
  EXPECT_EQ(phase["products"][0]["time_share"], 0.6);
  EXPECT_EQ(phase["products"][0]["weight"]["bytes"], 123);
  EXPECT_EQ(phase["products"][2]["time_share"], 0);
  EXPECT_EQ(phase["products"][2]["why"],
            "in int8; one kernel with decoder.0.attention (MatMul_11)");
  EXPECT_TRUE(phase["products"][3]["miss"]);
  EXPECT_FALSE(phase["products"][3].contains("kernel"));
  double shares = 0;
  for (const Json& kernel : phase["kernels"]) {
    shares += kernel["time_share"].get<double>();
  }
  EXPECT_NEAR(shares, 1, 1e-12);
  EXPECT_EQ(json["files"][0]["stored"][1]["bytes"], 300);
}

}  // namespace
}  // namespace hone
