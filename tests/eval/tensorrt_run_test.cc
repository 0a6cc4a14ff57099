#include <gtest/gtest.h>

#include "tests/eval/engine_testing.h"
#include "tests/eval/symmetric.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

class TensorRtFile : public ::testing::TestWithParam<std::string> {};

// Files that are spelled for TensorRT compute what the weights say, in every
// engine that there is.
TEST_P(TensorRtFile, RunsWithTheRightNumbers) {
  const auto engine = MakeTestedEngine(GetParam());
  if (!engine) GTEST_SKIP() << kNoOnnxRuntime;
  const ScratchFolder folder;
  for (const char* word : {"f32", "w8a8", "w8a8:tensor"}) {
    const NetworkCase one = EncoderCase("full", {64}, ParsePrecision(word));
    const auto tokens = RandomTokens(3 * 11, one.task.vocabulary, 3);
    const NamedTensors weights = Symmetric(QuantizeByRange(
        one.architecture, one.task,
        RandomWeights(one.architecture, one.task, 5), tokens, 3, 11));
    WriteFileAtomic(folder / "model.onnx",
                    ExportOnnx(one.architecture, one.task, weights, {},
                               ExportTarget::kTensorRt)
                        .at(kModelFile));
    const auto model = engine->Load(folder / "model.onnx", {});
    EXPECT_LT(RelativeError(model->Run(tokens, 3, 11),
                            ReferenceLogits(one.architecture, one.task, weights,
                                            tokens, 3, 11)),
              0.005)
        << word;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, TensorRtFile,
                         ::testing::ValuesIn(TestedEngines()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace hone
