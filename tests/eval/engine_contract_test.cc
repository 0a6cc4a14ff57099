#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "eval/engine/cpu.h"
#include "tests/eval/engine_testing.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

struct Shape {
  std::int64_t batch;
  std::int64_t tokens;
};
constexpr Shape kShapes[] = {{1, 1}, {1, 16}, {3, 5}, {2, 20}, {1, 40}};

// What every engine must do: the suite of tests is one for all.
class EngineTest : public ::testing::Test {
 protected:
  void Open(const std::string& name) {
    name_ = name;
    engine_ = MakeTestedEngine(name);
    if (!engine_) GTEST_SKIP() << kNoOnnxRuntime;
  }

  // As messages call it.
  std::string Title() const {
    if (name_ == "libtorch") return "LibTorch";
    return name_ == "openvino" ? "OpenVINO" : "ONNX Runtime";
  }

  std::string name_;
  std::unique_ptr<Engine> engine_;
  ScratchFolder folder_;
};

class ExportedNetwork : public EngineTest,
                        public ::testing::WithParamInterface<
                            std::tuple<std::string, Architecture>> {
 protected:
  void SetUp() override { Open(std::get<0>(GetParam())); }
};

// One file serves every shape, compiled for that shape alone or for all.
TEST_P(ExportedNetwork, AgreesWithTheReference) {
  const Architecture& architecture = std::get<1>(GetParam());
  const Exported exported(folder_, architecture);
  const auto dynamic = engine_->Load(exported.file, {.activation_group = 0});
  for (const auto& [batch, length] : kShapes) {
    SCOPED_TRACE(std::to_string(batch) + " x " + std::to_string(length));
    const auto tokens = RandomTokens(batch * length, kTask.vocabulary, 6);
    const auto expected = exported.Reference(tokens, batch, length);
    const auto fixed = engine_->Load(
        exported.file, {1, batch, length, /*activation_group=*/0});
    for (EngineModel* model : {dynamic.get(), fixed.get()}) {
      const auto actual = model->Run(tokens, batch, length);
      if (architecture == WithoutPrecision(architecture)) {
        EXPECT_LT(LargestDifference(actual, expected), 1e-4);
      } else {
        // A float that lies on the edge between two steps of u8 may fall to
        // either side, which later layers carry on.
        EXPECT_LT(RelativeError(actual, expected), 0.01);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Architectures, ExportedNetwork,
    ::testing::Combine(
        ::testing::ValuesIn(TestedEngines()),
        ::testing::Values(
            Make(32, {Block(MultiHead(1), 48, Precision::kF32)}),
            Make(64, {Block(MultiHead(4), 96, Precision::kF32),
                      Block(LocalAttention{2, 1}, 256, Precision::kF32)}),
            Make(48, {Block(LocalAttention{4, 3}, 64, Precision::kF32),
                      Block(LocalAttention{2, 3}, 64, Precision::kF32),
                      Block(LocalAttention{3, 40}, 32, Precision::kF32)}),
            Make(64, {Block(MultiHead(2), 128, Precision::kW8A8),
                      Block(LocalAttention{4, 2}, 64, Precision::kW8A8)}),
            Make(64, {Block(MultiHead(2), 128, Precision::kW4),
                      Block(LocalAttention{4, 2}, 64, Precision::kW4)}),
            Make(96, {Block(MultiHead(3), 48, Precision::kW4),
                      Block(MultiHead(2), 160, Precision::kF32),
                      Block(LocalAttention{4, 4}, 64, Precision::kW8A8)}))),
    [](const auto& info) {
      return std::get<0>(info.param) + std::to_string(info.index);
    });

class EngineContract : public EngineTest,
                       public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override { Open(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineContract,
                         ::testing::ValuesIn(TestedEngines()),
                         [](const auto& info) { return info.param; });

// Quality is read from one dynamic model over all lengths, shortest first.
TEST_P(EngineContract, EveryLengthInTurnAgreesWithTheReference) {
  const Exported exported(
      folder_, Make(32, {Block(MultiHead(2), 48, Precision::kF32),
                         Block(LocalAttention{4, 5}, 64, Precision::kF32)}));
  const auto model = engine_->Load(exported.file, {});
  for (const std::int64_t batch : {2, 1}) {
    for (std::int64_t length = 1; length <= kTask.max_tokens; ++length) {
      const auto tokens = RandomTokens(batch * length, kTask.vocabulary, 7);
      EXPECT_LT(LargestDifference(model->Run(tokens, batch, length),
                                  exported.Reference(tokens, batch, length)),
                1e-4)
          << batch << " x " << length;
    }
  }
}

TEST_P(EngineContract, FloatModelsRunInFloat) {
  const Exported exported(
      folder_, Make(128, {Block(MultiHead(4), 256, Precision::kF32)}));
  const auto model = engine_->Load(exported.file, {1, 1, 16});
  const auto kernels = model->Kernels();
  EXPECT_FALSE(kernels.empty());
  for (const KernelCount& kernel : kernels) {
    for (const char* low : {"bf16", "f16", "u8", "i8", "i4"}) {
      EXPECT_NE(kernel.precision, low) << kernel.layer;
    }
  }
}

// A file that asks for bf16 gets it or is refused, and runs in f32 on demand.
TEST_P(EngineContract, Bf16IsComputedOrRefused) {
  Architecture architecture =
      Make(128, {Block(MultiHead(4), 256, Precision::kF32)});
  architecture.stem.compute = Compute::kBf16;
  const Exported exported(folder_, architecture);
  const auto tokens = RandomTokens(16, kTask.vocabulary, 6);
  const auto expected = exported.Reference(tokens, 1, 16);
  const auto exact =
      engine_->Load(exported.file, {1, 1, 16, 0, /*bf16=*/false});
  EXPECT_LT(RelativeError(exact->Run(tokens, 1, 16), expected), 1e-4);
  if (engine_->ComputesInBf16()) {
    const auto model = engine_->Load(exported.file, {1, 1, 16});
    EXPECT_LT(RelativeError(model->Run(tokens, 1, 16), expected), 0.02);
    return;
  }
  try {
    engine_->Load(exported.file, {1, 1, 16});
    FAIL() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(exported.file.string()));
    EXPECT_THAT(error.what(), HasSubstr(Title()));
    EXPECT_THAT(error.what(), HasSubstr("bf16"));
  }
}

// Vectors instead of token numbers.
TEST_P(EngineContract, ReadsFeatures) {
  const TaskShape task = FeatureShape(6, 3, 9);
  const Architecture architecture =
      Make(32, {Block(MultiHead(2), 64, Precision::kF32)});
  const NamedTensors weights = RandomWeights(architecture, task, 4);
  WriteFileAtomic(folder_ / "model.onnx",
                  ExportOnnx(architecture, task, weights, {}).at(kModelFile));
  const auto numbers = RandomInput(2 * 9, task, 5);
  const std::vector<float> features(numbers.begin(), numbers.end());
  const auto model = engine_->Load(folder_ / "model.onnx", {1, 2, 9});
  EXPECT_LT(LargestDifference(
                model->Run(features, 2, 9),
                ReferenceLogits(architecture, task, weights, numbers, 2, 9)),
            1e-4);
}

TEST_P(EngineContract, TheClockGoesWithInferences) {
  const Exported exported(folder_,
                          Make(32, {Block(MultiHead(2), 64, Precision::kF32)}));
  const auto model = engine_->Load(exported.file, {1, 1, 8});
  const auto tokens = RandomTokens(8, kTask.vocabulary, 3);
  const double wall = SteadyMs();
  const double begin = model->ClockMs();
  model->Run(tokens, 1, 8);
  const double middle = model->ClockMs();
  EXPECT_LT(begin, middle);
  EXPECT_LE(middle - begin, SteadyMs() - wall);
  model->Run(tokens, 1, 8);
  EXPECT_LT(middle, model->ClockMs());
}

TEST_P(EngineContract, TwoModelsCanBeAlive) {
  const Exported exported(folder_,
                          Make(32, {Block(MultiHead(2), 64, Precision::kF32)}));
  const auto tokens = RandomTokens(8, kTask.vocabulary, 3);
  const auto another_engine = MakeTestedEngine(GetParam());
  const auto one = engine_->Load(exported.file, {1, 1, 8});
  const auto another = another_engine->Load(exported.file, {2, 0, 0});
  EXPECT_LT(
      LargestDifference(one->Run(tokens, 1, 8), another->Run(tokens, 1, 8)),
      1e-5);
}

// Trials are exported and scored side by side.
TEST_P(EngineContract, ThreadsMayLoadAndRunSideBySide) {
  const Exported exported(
      folder_, Make(64, {Block(MultiHead(2), 64, Precision::kW8A8)}));
  const auto tokens = RandomTokens(4 * 9, kTask.vocabulary, 3);
  const auto expected = engine_->Load(exported.file, {})->Run(tokens, 4, 9);
  std::vector<std::vector<float>> results(3);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results) {
      threads.emplace_back([&] {
        const auto model = engine_->Load(exported.file, {});
        for (int i = 0; i < 20; ++i) result = model->Run(tokens, 4, 9);
      });
    }
  }
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST_P(EngineContract, RefusesABrokenFileWithItsName) {
  const Exported exported(folder_,
                          Make(32, {Block(MultiHead(2), 64, Precision::kF32)}));
  const auto file = folder_ / "half.onnx";
  WriteFileAtomic(file, exported.bytes.substr(0, exported.bytes.size() / 2));
  for (const auto& path : {file, folder_ / "missing.onnx"}) {
    try {
      engine_->Load(path, {});
      FAIL() << "loaded " << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
      EXPECT_THAT(error.what(), HasSubstr(Title()));
    }
  }
}

TEST_P(EngineContract, RefusesMoreTokensThanPositions) {
  const Exported exported(folder_,
                          Make(32, {Block(MultiHead(2), 64, Precision::kF32)}));
  const auto model = engine_->Load(exported.file, {});
  const std::int64_t length = kTask.max_tokens + 1;
  EXPECT_THROW(model->Run(RandomTokens(length, 10, 1), 1, length), Error);
  // The model stays usable.
  EXPECT_EQ(model->Run(std::vector<std::int64_t>{1, 2}, 1, 2).size(), 7u);
}

TEST_P(EngineContract, DescribesItself) {
  const auto facts = engine_->Describe();
  EXPECT_EQ(facts.at("engine"), GetParam());
  EXPECT_THAT(facts.at("engine_version"), HasSubstr("."));
  EXPECT_EQ(facts.at("cpu"), DescribeCpu().at("cpu"));
}

}  // namespace
}  // namespace hone
