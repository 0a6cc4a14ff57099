#include <gtest/gtest.h>

#include "eval/engine/cpu.h"
#include "tests/eval/engine_testing.h"

namespace hone {
namespace {

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

// What no precision rounds really runs in bf16, beside layers in 8 bits too;
// only the table, the input and what goes out are of another type.
TEST(OpenVinoEngine, Bf16NetworksRunInBf16) {
  const auto engine = MakeOpenVinoEngine();
  if (!engine->ComputesInBf16()) {
    GTEST_SKIP() << "this CPU has neither avx512_bf16 nor amx_bf16";
  }
  for (const Precision precision : {Precision::kF32, Precision::kW8A8}) {
    Architecture architecture = Make(
        128, std::vector<BlockSpec>(2, Block(MultiHead(4), 256, precision)));
    architecture.stem.compute = Compute::kBf16;
    const ScratchFolder folder;
    const Exported exported(folder, architecture);
    for (const EngineOptions& options :
         {EngineOptions{1, 1, 16}, EngineOptions{1, 0, 0}}) {
      const auto model = engine->Load(exported.file, options);
      const bool float_layers = precision.IsFloat();
      EXPECT_EQ(CountFullyConnected(*model, "bf16"), float_layers ? 13 : 1);
      EXPECT_EQ(CountFullyConnected(*model, "u8"), float_layers ? 0 : 12);
      for (const KernelCount& kernel : model->Kernels()) {
        for (const char* layer : {"MatMul", "MVN", "Subgraph", "Softmax"}) {
          if (kernel.layer != layer) continue;
          EXPECT_EQ(kernel.precision, "bf16") << kernel.layer;
        }
      }
    }
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

// Queries, keys and values are integers when they are multiplied: one kernel
// computes both products and the softmax between.
TEST(OpenVinoEngine, ProductsInA8RunInInt8) {
  const auto cpu = DescribeCpu();
  if (!cpu.contains("isa") ||
      cpu.at("isa").find("avx512_vnni") == std::string::npos) {
    GTEST_SKIP() << "OpenVINO fuses attention in int8 with AVX512-VNNI";
  }
  for (const AttentionProducts products :
       {AttentionProducts::kF32, AttentionProducts::kA8}) {
    BlockSpec block = Block(MultiHead(4), 256, Precision::kW8A8);
    block.products = products;
    const ScratchFolder folder;
    const Exported exported(folder, Make(128, {block, block}));
    const auto model = MakeOpenVinoEngine()->Load(exported.file, {1, 1, 32});
    std::int64_t fused = 0;
    for (const KernelCount& kernel : model->Kernels()) {
      if (kernel.layer == "Subgraph" && kernel.precision == "i8") {
        fused += kernel.count;
      }
      EXPECT_NE(kernel.layer, "MatMul");
    }
    EXPECT_EQ(fused, products == AttentionProducts::kA8 ? 2 : 0);
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

}  // namespace
}  // namespace hone
