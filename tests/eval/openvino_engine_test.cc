#include <cmath>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/engine/cpu.h"
#include "eval/engine/engine.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "tests/eval/reference_network.h"
#include "tests/space/shapes.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

const TaskShape kTask = ClassifierShape(200, 7, 40);

Architecture Make(std::int64_t d_model, std::vector<BlockSpec> blocks) {
  return {{d_model}, std::move(blocks)};
}

BlockSpec Block(AttentionSpec attention, std::int64_t width,
                Precision precision) {
  return {attention, {width}, precision};
}

// An exported file with the weights that it was made from.
struct Exported {
  Exported(const ScratchFolder& folder, Architecture of)
      : architecture(std::move(of)),
        weights(QuantizeByRange(
            architecture, kTask, RandomWeights(architecture, kTask, 4),
            RandomTokens(4 * 16, kTask.vocabulary, 5), 4, 16)),
        bytes(ExportOnnx(architecture, kTask, weights, {}).at(kModelFile)),
        file(folder / "model.onnx") {
    WriteFileAtomic(file, bytes);
  }

  std::vector<float> Reference(const std::vector<std::int64_t>& tokens,
                               std::int64_t batch, std::int64_t length) const {
    return ReferenceLogits(architecture, kTask, weights, tokens, batch, length);
  }

  Architecture architecture;
  NamedTensors weights;
  std::string bytes;
  std::filesystem::path file;
};

double LargestDifference(const std::vector<float>& a,
                         const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

std::int64_t CountFullyConnected(const EngineModel& model,
                                 const std::string& precision) {
  std::int64_t count = 0;
  for (const KernelCount& kernel : model.Kernels()) {
    if (kernel.layer == "FullyConnected" && kernel.precision == precision) {
      count += kernel.count;
    }
  }
  return count;
}

struct Shape {
  std::int64_t batch;
  std::int64_t tokens;
};
constexpr Shape kShapes[] = {{1, 1}, {1, 16}, {3, 5}, {2, 20}, {1, 40}};

class ExportedNetwork : public ::testing::TestWithParam<Architecture> {};

// One file serves every shape, compiled for that shape alone or for all.
TEST_P(ExportedNetwork, AgreesWithTheReference) {
  const ScratchFolder folder;
  const Exported exported(folder, GetParam());
  const auto engine = MakeOpenVinoEngine();
  const auto dynamic = engine->Load(exported.file, {.activation_group = 0});
  for (const auto& [batch, length] : kShapes) {
    SCOPED_TRACE(std::to_string(batch) + " x " + std::to_string(length));
    const auto tokens = RandomTokens(batch * length, kTask.vocabulary, 6);
    const auto expected = exported.Reference(tokens, batch, length);
    const auto fixed =
        engine->Load(exported.file, {1, batch, length, /*activation_group=*/0});
    for (EngineModel* model : {dynamic.get(), fixed.get()}) {
      const auto actual = model->Run(tokens, batch, length);
      if (GetParam() == WithoutPrecision(GetParam())) {
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
                  Block(LocalAttention{4, 4}, 64, Precision::kW8A8)})),
    [](const auto& info) { return "A" + std::to_string(info.index); });

// Quality is read from one dynamic model over all lengths, shortest first.
TEST(OpenVinoEngine, EveryLengthInTurnAgreesWithTheReference) {
  const ScratchFolder folder;
  const Exported exported(
      folder, Make(32, {Block(MultiHead(2), 48, Precision::kF32),
                        Block(LocalAttention{4, 5}, 64, Precision::kF32)}));
  const auto model = MakeOpenVinoEngine()->Load(exported.file, {});
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

TEST(OpenVinoEngine, FloatModelsRunInFloat) {
  const ScratchFolder folder;
  const Exported exported(
      folder, Make(128, {Block(MultiHead(4), 256, Precision::kF32)}));
  const auto model = MakeOpenVinoEngine()->Load(exported.file, {1, 1, 16});
  EXPECT_EQ(CountFullyConnected(*model, "f32"), 6 + 1);
  for (const KernelCount& kernel : model->Kernels()) {
    EXPECT_NE(kernel.precision, "bf16") << kernel.layer;
    EXPECT_NE(kernel.precision, "f16") << kernel.layer;
  }
}

TEST(OpenVinoEngine, Int8LayersRunInInt8) {
  const auto cpu = DescribeCpu();
  if (!cpu.contains("isa") || cpu.at("isa").empty()) {
    GTEST_SKIP() << "OpenVINO's int8 kernels need AVX2 or more";
  }
  const ScratchFolder folder;
  const Exported exported(
      folder, Make(128, {Block(MultiHead(4), 256, Precision::kW8A8),
                         Block(LocalAttention{2, 4}, 512, Precision::kW8A8)}));
  const auto engine = MakeOpenVinoEngine();
  for (const EngineOptions& options :
       {EngineOptions{1, 1, 16}, EngineOptions{1, 0, 0}}) {
    const auto model = engine->Load(exported.file, options);
    EXPECT_EQ(CountFullyConnected(*model, "u8"), 2 * 6);
    EXPECT_EQ(CountFullyConnected(*model, "f32"), 1);  // the head
  }
}

TEST(OpenVinoEngine, FourBitLayersKeepTheirWeightsInFourBits) {
  const ScratchFolder folder;
  const Exported exported(
      folder, Make(128, {Block(MultiHead(4), 256, Precision::kW4)}));
  const auto model = MakeOpenVinoEngine()->Load(exported.file, {1, 1, 16});
  EXPECT_EQ(CountFullyConnected(*model, "i4"), 6);
}

// What the default of activation_group costs in parity.
TEST(OpenVinoEngine, DynamicQuantizationStaysWithinTheTolerance) {
  const ScratchFolder folder;
  const Exported exported(
      folder, Make(128, std::vector<BlockSpec>(
                            4, Block(MultiHead(4), 512, Precision::kW4))));
  const auto tokens = RandomTokens(4 * 16, kTask.vocabulary, 8);
  const auto engine = MakeOpenVinoEngine();
  const auto expected = exported.Reference(tokens, 4, 16);
  EXPECT_LT(RelativeError(
                engine->Load(exported.file, {1, 4, 16, 0})->Run(tokens, 4, 16),
                expected),
            1e-4);
  EXPECT_LT(
      RelativeError(engine->Load(exported.file, {1, 4, 16})->Run(tokens, 4, 16),
                    expected),
      0.02);
}

TEST(OpenVinoEngine, MemoryFollowsTheWeights) {
  const ScratchFolder folder;
  const auto engine = MakeOpenVinoEngine();
  const auto bytes = [&](Precision precision) {
    const Exported exported(folder,
                            Make(256, {Block(MultiHead(4), 1024, precision)}));
    // The first load pays for what the engine sets up once in a process.
    engine->Load(exported.file, {1, 1, 16});
    return engine->Load(exported.file, {1, 1, 16})->MemoryBytes();
  };
  const std::int64_t f32 = bytes(Precision::kF32);
  if (f32 == 0) GTEST_SKIP() << "the C library does not tell the heap in use";
  const std::int64_t w8a8 = bytes(Precision::kW8A8);
  const std::int64_t w4 = bytes(Precision::kW4);
  const std::int64_t weights = 256 * 256 * 4 + 2 * 256 * 1024;
  EXPECT_GE(f32, 4 * weights);
  EXPECT_LT(f32, 3 * 4 * weights);
  EXPECT_LT(w8a8, f32);
  EXPECT_LT(w4, w8a8);
}

TEST(OpenVinoEngine, TwoModelsCanBeAlive) {
  const ScratchFolder folder;
  const Exported exported(folder,
                          Make(32, {Block(MultiHead(2), 64, Precision::kF32)}));
  const auto tokens = RandomTokens(8, kTask.vocabulary, 3);
  const auto one_engine = MakeOpenVinoEngine();
  const auto another_engine = MakeOpenVinoEngine();
  const auto one = one_engine->Load(exported.file, {1, 1, 8});
  const auto another = another_engine->Load(exported.file, {2, 0, 0});
  EXPECT_LT(
      LargestDifference(one->Run(tokens, 1, 8), another->Run(tokens, 1, 8)),
      1e-5);
}

// Trials are exported and scored side by side.
TEST(OpenVinoEngine, ThreadsMayLoadAndRunSideBySide) {
  const ScratchFolder folder;
  const Exported exported(
      folder, Make(64, {Block(MultiHead(2), 64, Precision::kW8A8)}));
  const auto tokens = RandomTokens(4 * 9, kTask.vocabulary, 3);
  const auto engine = MakeOpenVinoEngine();
  const auto expected = engine->Load(exported.file, {})->Run(tokens, 4, 9);
  std::vector<std::vector<float>> results(3);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results) {
      threads.emplace_back([&] {
        const auto model = engine->Load(exported.file, {});
        for (int i = 0; i < 20; ++i) result = model->Run(tokens, 4, 9);
      });
    }
  }
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(OpenVinoEngine, RefusesABrokenFileWithItsName) {
  const ScratchFolder folder;
  const Exported exported(folder,
                          Make(32, {Block(MultiHead(2), 64, Precision::kF32)}));
  const auto file = folder / "half.onnx";
  WriteFileAtomic(file, exported.bytes.substr(0, exported.bytes.size() / 2));
  const auto engine = MakeOpenVinoEngine();
  for (const auto& path : {file, folder / "missing.onnx"}) {
    try {
      engine->Load(path, {});
      FAIL() << "loaded " << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
      EXPECT_THAT(error.what(), HasSubstr("OpenVINO"));
    }
  }
}

TEST(OpenVinoEngine, RefusesMoreTokensThanPositions) {
  const ScratchFolder folder;
  const Exported exported(folder,
                          Make(32, {Block(MultiHead(2), 64, Precision::kF32)}));
  const auto model = MakeOpenVinoEngine()->Load(exported.file, {});
  const std::int64_t length = kTask.max_tokens + 1;
  EXPECT_THROW(model->Run(RandomTokens(length, 10, 1), 1, length), Error);
  // The model stays usable.
  EXPECT_EQ(model->Run(std::vector<std::int64_t>{1, 2}, 1, 2).size(), 7u);
}

TEST(OpenVinoEngine, DescribesItself) {
  const auto facts = MakeOpenVinoEngine()->Describe();
  EXPECT_EQ(facts.at("engine"), "openvino");
  EXPECT_THAT(facts.at("engine_version"), HasSubstr("2026.4.1"));
  EXPECT_EQ(facts.at("cpu"), DescribeCpu().at("cpu"));
}

}  // namespace
}  // namespace hone
