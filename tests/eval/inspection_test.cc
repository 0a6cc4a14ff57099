#include "eval/inspection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/engine/cpu.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "tests/eval/hand_made.h"
#include "tests/eval/reference_network.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

MeasurementOptions Options() {
  MeasurementOptions options;
  // Long enough for the engine's clock.
  options.batch = 8;
  options.tokens = 16;
  options.new_tokens = 4;
  return options;
}

Inspection InspectNetwork(const NetworkCase& one) {
  const ScratchFolder folder;
  const NamedTensors quantized = QuantizeByRange(
      one.architecture, one.task, RandomWeights(one.architecture, one.task, 2),
      RandomInput(2 * 6, one.task, 1), 2, 6);
  for (const auto& [name, bytes] :
       ExportOnnx(one.architecture, one.task, quantized, {})) {
    WriteFileAtomic(folder / name, bytes);
  }
  return Inspect(*MakeOpenVinoEngine(), folder.path(), one.task, Options());
}

TEST(Inspection, TellsLayersThatWereLeftInF32) {
  const ScratchFolder folder;
  const TaskShape task = ClassifierShape(50, 3, 16);
  const Architecture architecture = {{32},
                                     {{MultiHead(2), {64}, Precision::kF32}}};
  const auto inspect = [&](const std::string& layers) {
    for (const auto& [name, bytes] :
         ExportOnnx(architecture, task, RandomWeights(architecture, task, 2),
                    {{kLeftInF32Key, layers}})) {
      WriteFileAtomic(folder / name, bytes);
    }
    return Inspect(*MakeOpenVinoEngine(), folder.path(), task, Options());
  };
  const Inspection inspection = inspect(R"(["encoder.0.feed_forward.up"])");
  int told = 0;
  for (const InspectedProduct& product : inspection.phases[0].products) {
    const bool left = product.stored.layer == "encoder.0.feed_forward.up";
    EXPECT_EQ(product.why == "kept f32: timed, and faster than in fewer bits",
              left)
        << product.stored.layer;
    EXPECT_FALSE(product.miss);
    told += left;
  }
  EXPECT_EQ(told, 1);
  EXPECT_THROW(inspect("{}"), Error);
  EXPECT_THROW(inspect("[1]"), Error);
}

// Whole shares of a phase: every node once, and no product's twice.
void ExpectSharesAddUp(const InspectedPhase& phase) {
  SCOPED_TRACE(phase.file + " " + phase.what);
  EXPECT_GT(phase.run_ms, 0);
  EXPECT_GT(phase.NodeMicroseconds(), 0);
  double all = 0;
  for (std::size_t i = 0; i < phase.nodes.size(); ++i) all += phase.Share(i);
  EXPECT_NEAR(all, 1, 1e-9);
  double products = 0;
  for (const InspectedProduct& product : phase.products) {
    if (product.stored.of_shapes) continue;
    ASSERT_TRUE(product.node.has_value()) << product.stored.layer;
    if (!product.shares_with) products += phase.Share(*product.node);
  }
  EXPECT_GT(products, 0);
  EXPECT_LE(products, 1 + 1e-9);
}

struct Expected {
  Precision precision;
  const char* runs;
  bool miss;
  const char* why;
};

class InspectedPrecision : public ::testing::TestWithParam<Expected> {};

TEST_P(InspectedPrecision, IsWhatTheEngineRuns) {
  const auto& [precision, runs, miss, why] = GetParam();
  if (precision == Precision::kW8A8 && DescribeCpu()["isa"].empty()) {
    GTEST_SKIP() << "OpenVINO's int8 kernels need AVX2 or more";
  }
  const Inspection inspection =
      InspectNetwork(EncoderCase("full", {128}, precision));
  ASSERT_EQ(inspection.phases.size(), 1u);
  const InspectedPhase& phase = inspection.phases[0];
  ExpectSharesAddUp(phase);
  EXPECT_EQ(phase.products.size(), 2u * (6 + 2) + 1);
  for (const InspectedProduct& product : phase.products) {
    SCOPED_TRACE(product.stored.layer);
    const bool kept = product.stored.layer == "classifier";
    if (!product.stored.weight || kept) {
      EXPECT_EQ(product.runs, "f32");
      EXPECT_FALSE(product.miss);
      continue;
    }
    EXPECT_EQ(product.runs, runs);
    EXPECT_EQ(product.miss, miss);
    EXPECT_EQ(product.why, why);
    EXPECT_EQ(phase.nodes[*product.node].layer, "FullyConnected");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Precisions, InspectedPrecision,
    ::testing::Values(
        Expected{Precision::kF32, "f32", false, "kept f32: stored so"},
        Expected{Precision::kW8A8, "u8/i8", false, "in int8"},
        Expected{Precision::kW4, "f32/i4", true,
                 "weights decompressed on the fly: activations come in float"}),
    [](const auto& info) { return Name(info.param.precision); });

// Both products of an attention lie in one kernel, whose time counts once.
TEST(Inspect, TellsProductsThatShareAKernel) {
  const Inspection inspection =
      InspectNetwork(EncoderCase("full", {64}, Precision::kF32));
  int shared = 0;
  const auto& products = inspection.phases.at(0).products;
  for (const InspectedProduct& product : products) {
    if (!product.shares_with) continue;
    ++shared;
    EXPECT_THAT(product.stored.layer, HasSubstr(".attention (MatMul_"));
    EXPECT_EQ(products[*product.shares_with].node, product.node);
  }
  EXPECT_EQ(shared, 2);
}

// Every product of every kind of network is found in the engine.
TEST(Inspect, FindsTheKernelsOfEveryAttentionKind) {
  for (const std::string& word : AttentionWords(false)) {
    SCOPED_TRACE(word);
    const Inspection inspection =
        InspectNetwork(EncoderCase(word, {32}, Precision::kF32));
    for (const InspectedPhase& phase : inspection.phases) {
      ExpectSharesAddUp(phase);
    }
  }
}

TEST(Inspect, ADecodersPromptAndStepsAreApart) {
  const Inspection inspection =
      InspectNetwork(DecoderCase("full", {128}, Precision::kW8A8));
  ASSERT_EQ(inspection.phases.size(), 2u);
  EXPECT_EQ(inspection.phases[0].what, "a prompt");
  EXPECT_EQ(inspection.phases[1].what, "a step");
  for (const InspectedPhase& phase : inspection.phases) {
    EXPECT_EQ(phase.file, kModelFile);
    ExpectSharesAddUp(phase);
  }
}

TEST(Inspect, ATranslationHasTwoFiles) {
  const Inspection inspection =
      InspectNetwork(TranslationCase({64}, Precision::kW4));
  ASSERT_EQ(inspection.files.size(), 2u);
  EXPECT_EQ(inspection.files[0].name, kEncoderFile);
  ASSERT_EQ(inspection.phases.size(), 2u);
  EXPECT_EQ(inspection.phases[0].what, "a source");
  EXPECT_EQ(inspection.phases[0].file, kEncoderFile);
  EXPECT_EQ(inspection.phases[1].file, kModelFile);
  for (const InspectedPhase& phase : inspection.phases) {
    ExpectSharesAddUp(phase);
    for (const EngineNode& node : phase.nodes) {
      EXPECT_EQ(node.file, phase.file);
    }
  }
}

TEST(Inspect, ReportsWeightsThatTheEngineFoldsToFloat) {
  const ScratchFolder folder;
  WriteFileAtomic(folder / kModelFile, HandMadeModel());
  const Inspection inspection =
      Inspect(*MakeOpenVinoEngine(), folder.path(),
              FeatureShape(kHandMadeWidth, 2, 32), Options());
  std::map<std::string, InspectedProduct> by_layer;
  for (const auto& product : inspection.phases.at(0).products) {
    by_layer[product.stored.layer] = product;
  }
  EXPECT_EQ(by_layer.at("w8").runs, "f32/i8");
  EXPECT_TRUE(by_layer.at("w8").miss);
  EXPECT_THAT(by_layer.at("w8").why, StartsWith("weights decompressed"));
  for (const char* layer : {"table", "packed"}) {
    const InspectedProduct& product = by_layer.at(layer);
    EXPECT_TRUE(product.stored.weight->low_bit);
    EXPECT_EQ(product.runs, "f32");
    EXPECT_TRUE(product.miss);
    EXPECT_THAT(product.why,
                StartsWith("folded to f32 when loaded: the engine has no "
                           "kernel for this chain ("));
  }
  EXPECT_THAT(by_layer.at("table").why,
              HasSubstr("(Cast, Gather, Mul, Transpose)"));
}

// An engine's nodes made by hand, where no engine gives a case at will.

EngineNode Node(std::vector<std::string> values, const std::string& layer,
                const std::string& primitive, std::vector<std::string> inputs) {
  EngineNode node;
  node.values = std::move(values);
  node.layer = layer;
  node.primitive = primitive;
  node.inputs = std::move(inputs);
  return node;
}

StoredProduct LowBit(const std::string& activations) {
  StoredProduct product{"layer",
                        "layer/MatMul",
                        activations,
                        StoredWeight{},
                        {"layer/MatMul", "layer/Add"},
                        false};
  product.weight->label = "w2";
  product.weight->type = "u8";
  product.weight->low_bit = true;
  product.weight->chain = {"Cast", "Mul", "Mul"};
  product.weight->values = {"layer/Cast", "layer/Mul"};
  return product;
}

TEST(MatchProducts, TellsWhatBecomesOfLowBitWeights) {
  const auto judge = [](const std::string& activations,
                        std::vector<EngineNode> nodes) {
    return MatchProducts({LowBit(activations)}, nodes).at(0);
  };
  const auto product = [](std::vector<std::string> inputs) {
    return Node({"layer/Add"}, "FullyConnected", "any_f32", std::move(inputs));
  };
  const EngineNode mul =
      Node({"layer/Mul"}, "Eltwise", "jit_f32", {"f32", "f32"});
  EXPECT_EQ(judge("f32", {mul, product({"f32", "f32", "f32"})}).why,
            "unpacked to f32 at each inference by 1 node: the engine has no "
            "kernel for this chain (Cast, Mul)");
  EXPECT_EQ(judge("f32", {product({"f32", "f32"})}).why,
            "folded to f32 when loaded: the engine has no kernel for this "
            "chain (Cast, Mul)");
  EXPECT_EQ(judge("f32", {product({"f32", "u4"})}).why,
            "held as u4; weights decompressed on the fly: activations come in "
            "float");
  EXPECT_THAT(judge("u8", {product({"f32", "u8"})}).why,
              HasSubstr("did not keep the activations in u8"));
  EXPECT_FALSE(judge("u8", {product({"u8", "i8"})}).miss);
  EXPECT_EQ(judge("u8", {product({"u8", "i8"})}).runs, "u8/i8");
}

TEST(MatchProducts, AProductOfShapesNeedsNoKernel) {
  StoredProduct product = LowBit("f32");
  product.of_shapes = true;
  const auto found = MatchProducts({product}, {});
  EXPECT_FALSE(found[0].miss);
  EXPECT_THAT(found[0].why, HasSubstr("computed when loaded"));
}

TEST(MatchProducts, IsNotMisledByNodesThatOnlyMoveElements) {
  const auto found = MatchProducts(
      {LowBit("f32")},
      {Node({"layer/Add"}, "Reshape", "unknown", {"f32", "i32"}),
       Node({"other"}, "FullyConnected", "any_f32", {"f32", "f32"})});
  EXPECT_FALSE(found[0].node.has_value());
  EXPECT_EQ(found[0].runs, "-");
  EXPECT_THAT(found[0].why, StartsWith("not found"));
}

TEST(MatchProducts, AWeightMayStandOnTheLeft) {
  StoredProduct product = LowBit("f32");
  product.weight->operand = 0;
  const auto found = MatchProducts(
      {product}, {Node({"layer/MatMul"}, "MatMul", "any", {"u8", "f32"})});
  EXPECT_EQ(found[0].runs, "f32/u8");
}

std::string Complaint(const ScratchFolder& folder, ErrorCode code) {
  try {
    Inspect(*MakeOpenVinoEngine(), folder.path(), ClassifierShape(10, 2, 8),
            Options());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "";
}

TEST(Inspect, SaysWhatIsWrongWithAFolder) {
  const ScratchFolder folder;
  EXPECT_THAT(Complaint(folder, ErrorCode::kNotFound), HasSubstr(kModelFile));
  WriteFileAtomic(folder / kModelFile, HandMadeModel().substr(0, 999));
  EXPECT_THAT(Complaint(folder, ErrorCode::kIntegrity),
              HasSubstr("damaged: it is cut short"));
}

class SilentModel : public EngineModel {
 public:
  std::vector<float> Run(const ModelInput&, std::int64_t,
                         std::int64_t) override {
    return {};
  }
  std::vector<KernelCount> Kernels() const override { return {}; }
  std::int64_t MemoryBytes() const override { return 0; }
};

class SilentEngine : public Engine {
 public:
  std::map<std::string, std::string> Describe() const override { return {}; }
  std::unique_ptr<EngineModel> Load(const std::filesystem::path&,
                                    const EngineOptions&) override {
    return std::make_unique<SilentModel>();
  }
  std::unique_ptr<EngineDecoder> LoadDecoder(const std::filesystem::path&,
                                             const EngineOptions&) override {
    return nullptr;
  }
};

TEST(Inspect, RefusesAnEngineThatDoesNotTell) {
  const ScratchFolder folder;
  WriteFileAtomic(folder / kModelFile, HandMadeModel());
  SilentEngine engine;
  EXPECT_THROW(Inspect(engine, folder.path(),
                       FeatureShape(kHandMadeWidth, 2, 32), Options()),
               Error);
}

}  // namespace
}  // namespace hone
