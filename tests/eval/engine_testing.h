#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "eval/engine/engine.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "tests/eval/reference_network.h"
#include "tests/eval/tested_engines.h"
#include "tests/space/shapes.h"

namespace hone {

inline const TaskShape kTask = ClassifierShape(200, 7, 40);

inline Architecture Make(std::int64_t d_model, std::vector<BlockSpec> blocks) {
  return {{d_model}, std::move(blocks)};
}

inline BlockSpec Block(AttentionSpec attention, std::int64_t width,
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

inline double LargestDifference(const std::vector<float>& a,
                                const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

}  // namespace hone
