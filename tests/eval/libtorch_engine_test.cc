#include "eval/libtorch_engine.h"

#include <gmock/gmock.h>

#include "eval/export/onnx_writer.h"
#include "eval/inspection.h"
#include "tests/eval/engine_testing.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

std::string FileOf(const ScratchFolder& folder, const NetworkCase& one,
                   const NamedTensors& weights) {
  const auto path = folder / "model.onnx";
  WriteFileAtomic(
      path, ExportOnnx(one.architecture, one.task, weights, {}).at(kModelFile));
  return path.string();
}

std::vector<NetworkCase> Encoders(Precision precision) {
  std::vector<NetworkCase> cases;
  for (const NetworkCase& one : NetworkCases(32, precision)) {
    if (one.task.topology == Topology::kEncoder) cases.push_back(one);
  }
  return cases;
}

ModelInput InputOf(const NetworkCase& one,
                   const std::vector<std::int64_t>& numbers) {
  if (one.task.features == 0) return numbers;
  return std::vector<float>(numbers.begin(), numbers.end());
}

// Every operation that an encoder's file has, against loops in double
// precision; one dynamic model for all lengths, and one of each fixed shape.
class LibTorchEncoder : public ::testing::TestWithParam<NetworkCase> {};

TEST_P(LibTorchEncoder, AgreesWithTheReference) {
  const NetworkCase& one = GetParam();
  const ScratchFolder folder;
  const NamedTensors weights = RandomWeights(one.architecture, one.task, 4);
  const std::string file = FileOf(folder, one, weights);
  const auto engine = MakeLibTorchEngine();
  const auto dynamic = engine->Load(file, {});
  for (const std::int64_t length : {1, 2, 9, 24}) {
    const auto numbers = RandomInput(2 * length, one.task, 6);
    const auto expected = ReferenceLogits(one.architecture, one.task, weights,
                                          numbers, 2, length);
    const auto fixed = engine->Load(file, {1, 2, length});
    for (EngineModel* model : {dynamic.get(), fixed.get()}) {
      // Twice: what a run leaves behind must not reach the next.
      for (int i = 0; i < 2; ++i) {
        EXPECT_LT(LargestDifference(
                      model->Run(InputOf(one, numbers), 2, length), expected),
                  1e-4)
            << length;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, LibTorchEncoder,
                         ::testing::ValuesIn(Encoders(Precision::kF32)),
                         [](const auto& info) { return TestName(info.param); });

struct Quantized {
  explicit Quantized(const Precision& precision)
      : one(EncoderCase("full", {64}, precision)) {
    const auto tokens = RandomTokens(4 * 9, one.task.vocabulary, 3);
    weights = QuantizeByRange(one.architecture, one.task,
                              RandomWeights(one.architecture, one.task, 5),
                              tokens, 4, 9);
    file = FileOf(folder, one, weights);
  }
  ScratchFolder folder;
  NetworkCase one;
  NamedTensors weights;
  std::string file;
};

class LibTorchPrecision : public ::testing::TestWithParam<Precision> {};

std::int64_t Count(const std::vector<KernelCount>& kernels,
                   const std::string& primitive) {
  std::int64_t count = 0;
  for (const KernelCount& kernel : kernels) {
    if (kernel.primitive == primitive) count += kernel.count;
  }
  return count;
}

TEST_P(LibTorchPrecision, AgreesAndSaysHowItRan) {
  const Quantized model(GetParam());
  const auto tokens = RandomTokens(3 * 17, model.one.task.vocabulary, 8);
  const auto loaded = MakeLibTorchEngine()->Load(model.file, {1, 3, 17});
  EXPECT_LT(
      RelativeError(loaded->Run(tokens, 3, 17),
                    ReferenceLogits(model.one.architecture, model.one.task,
                                    model.weights, tokens, 3, 17)),
      0.005);
  // Two blocks of six layers, and the classifier.
  const bool integers = GetParam().int8_activations;
  EXPECT_EQ(Count(loaded->Kernels(), "onednn::qlinear_pointwise"),
            integers ? 12 : 0);
  EXPECT_EQ(Count(loaded->Kernels(), "at::linear"), integers ? 1 : 13);
  for (const KernelCount& kernel : loaded->Kernels()) {
    EXPECT_NE(kernel.layer, "DequantizeLinear");
    EXPECT_NE(kernel.layer, "Shape") << "known for a fixed shape";
    if (kernel.primitive == "onednn::qlinear_pointwise") {
      EXPECT_EQ(kernel.precision, "u8");
    }
    if (kernel.primitive == "at::linear") {
      EXPECT_EQ(kernel.precision, "f32");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, LibTorchPrecision,
                         ::testing::ValuesIn(EveryPrecision()),
                         [](const auto& info) { return TestName(info.param); });

TEST(LibTorchEngine, InspectionFindsEveryLayer) {
  const Quantized model(Precision::kW8A8);
  MeasurementOptions options;
  options.tokens = 9;
  const auto engine = MakeLibTorchEngine();
  const Inspection inspection =
      Inspect(*engine, model.folder.path(), model.one.task, options);
  std::int64_t in_integers = 0;
  for (const InspectedProduct& product : inspection.phases.at(0).products) {
    EXPECT_TRUE(product.node.has_value()) << product.stored.layer;
    in_integers += product.runs == "u8/i8";
    EXPECT_FALSE(product.miss) << product.stored.layer << ": " << product.why;
  }
  EXPECT_EQ(in_integers, 12);
}

TEST(LibTorchEngine, InspectionTellsWhatWasFolded) {
  const Quantized model(Precision::kW4);
  MeasurementOptions options;
  options.tokens = 9;
  const auto engine = MakeLibTorchEngine();
  const Inspection inspection =
      Inspect(*engine, model.folder.path(), model.one.task, options);
  std::int64_t misses = 0;
  for (const InspectedProduct& product : inspection.phases.at(0).products) {
    if (!product.miss) continue;
    ++misses;
    EXPECT_THAT(product.why, HasSubstr("folded to f32 when loaded"));
  }
  EXPECT_EQ(misses, 12);
}

TEST(LibTorchEngine, RefusesDecodersAndSaysWhoRunsThem) {
  try {
    MakeLibTorchEngine()->LoadDecoder("somewhere", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("use openvino or onnxruntime"));
  }
  const ScratchFolder folder;
  const NetworkCase one = DecoderCase("full", {32}, Precision::kF32);
  const std::string file =
      FileOf(folder, one, RandomWeights(one.architecture, one.task, 4));
  try {
    MakeLibTorchEngine()->Load(file, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("not an encoder"));
  }
}

TEST(LibTorchEngine, RefusesTokensThatItHasNoRowFor) {
  const Quantized model(Precision::kF32);
  const auto loaded = MakeLibTorchEngine()->Load(model.file, {});
  try {
    loaded->Run(std::vector<std::int64_t>{1, 50}, 1, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(model.file));
  }
  EXPECT_EQ(loaded->Run(std::vector<std::int64_t>{1, 49}, 1, 2).size(), 6u);
}

TEST(LibTorchEngine, RefusesAnOperationThatItDoesNotHave) {
  const ScratchFolder folder;
  OnnxWriter writer;
  writer.AddInput("tokens", OnnxType::kFloat, {"batch", "tokens"});
  writer.AddNode("Erf", "logits", {"tokens"});
  writer.AddOutput("logits", OnnxType::kFloat, {"batch", "tokens"});
  WriteFileAtomic(folder / "erf.onnx", writer.Serialize({}));
  try {
    MakeLibTorchEngine()->Load(folder / "erf.onnx", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("does not run Erf"));
  }
}

// Two threads compute what one does.
TEST(LibTorchEngine, TakesThreads) {
  const Quantized model(Precision::kW8A8);
  const auto tokens = RandomTokens(3 * 17, model.one.task.vocabulary, 8);
  const auto engine = MakeLibTorchEngine();
  EXPECT_LT(
      LargestDifference(engine->Load(model.file, {1})->Run(tokens, 3, 17),
                        engine->Load(model.file, {2})->Run(tokens, 3, 17)),
      1e-4);
}

}  // namespace
}  // namespace hone
