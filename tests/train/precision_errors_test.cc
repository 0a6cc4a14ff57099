#include "train/compress/precision_errors.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "train/compress/importance.h"
#include "train/compress/matrix_quantization.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(40, 5, 8);

const Architecture kNetwork{{32},
                            {BlockOf("full", 4, 48, Precision::kF32),
                             BlockOf("local:2", 4, 40, Precision::kF32)}};

std::vector<Precision> Words(const std::vector<std::string>& words) {
  std::vector<Precision> precisions;
  for (const std::string& word : words) {
    precisions.push_back(ParsePrecision(word));
  }
  return precisions;
}

// Mean cross-entropy of one batch.
double Loss(const NamedTensors& weights, const TaskData& data) {
  const std::vector<float> logits =
      ComputeFlatLogits(kNetwork, kTask, weights, data, 16);
  double loss = 0;
  for (std::size_t row = 0; row < data.size(); ++row) {
    double sum = 0;
    for (std::size_t c = 0; c < 5; ++c) {
      sum += std::exp(static_cast<double>(logits[5 * row + c]));
    }
    loss += std::log(sum) -
            logits[5 * row + static_cast<std::size_t>(data.labels[row])];
  }
  return loss / static_cast<double>(data.size());
}

TEST(PrecisionErrors, SquaredGradientsAreThoseOfTheLoss) {
  TaskData data = TinyData(16, 5, 1);
  for (auto& tokens : data.tokens) tokens.resize(3);  // for one batch
  const NamedTensors weights = InitialWeights(kNetwork, kTask, 3);
  const auto squares = SquaredGradients(kNetwork, kTask, weights, data);
  for (const std::string layer :
       {"encoder.0.attention.value", "encoder.1.feed_forward.down"}) {
    const std::vector<double>& found = squares.at(layer);
    const auto at = static_cast<std::size_t>(
        std::max_element(found.begin(), found.end()) - found.begin());
    const auto moved = [&](float by) {
      NamedTensors changed = weights;
      changed.at(layer + ".weight").data<float>()[at] += by;
      return Loss(changed, data);
    };
    const double gradient = (moved(0.02F) - moved(-0.02F)) / 0.04;
    EXPECT_NEAR(std::sqrt(found[at]), std::abs(gradient),
                0.02 * std::abs(gradient))
        << layer;
  }
}

TEST(PrecisionErrors, AddUpALayersChangesByItsGradients) {
  const TaskData data = TinyData(16, 5, 1);
  const NamedTensors weights = InitialWeights(kNetwork, kTask, 3);
  const auto precisions = Words({"f32", "w8a8", "w4", "w3", "w2"});
  const auto errors =
      PrecisionErrors(kNetwork, kTask, weights, data, precisions, true);
  ASSERT_EQ(errors.size(), 2u);
  const auto squares = SquaredGradients(kNetwork, kTask, weights, data);
  double expected = 0;
  for (const auto& [layer, gradients] : squares) {
    if (!layer.starts_with("encoder.1.")) continue;
    const TensorData& tensor = weights.at(layer + ".weight");
    const float* values = tensor.data<float>();
    const std::vector<float> matrix(values, values + gradients.size());
    const std::vector<float> rounded = Dequantize(QuantizeMatrix(
        matrix, tensor.shape[0], tensor.shape[1], precisions[4]));
    for (std::size_t i = 0; i < matrix.size(); ++i) {
      expected += gradients[i] * std::pow(rounded[i] - matrix[i], 2) / 2;
    }
  }
  EXPECT_NEAR(errors[1][4], expected, 1e-6 * expected);
  for (const std::vector<double>& block : errors) {
    EXPECT_EQ(block[0], 0);
    for (std::size_t i = 1; i < block.size(); ++i) {
      EXPECT_LT(block[i - 1], block[i]);
    }
  }
  // The eighth bit halves the steps of what meets 8-bit activations, and of
  // nothing else.
  const auto whole =
      PrecisionErrors(kNetwork, kTask, weights, data, precisions, false);
  for (std::size_t block = 0; block < errors.size(); ++block) {
    EXPECT_NEAR(errors[block][1] / whole[block][1], 4, 1);
    EXPECT_EQ(errors[block][2], whole[block][2]);
  }
}

}  // namespace
}  // namespace hone
