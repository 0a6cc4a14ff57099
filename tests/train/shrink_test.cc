#include "train/compress/shrink.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "train/compress/importance.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(40, 5, 8);

Architecture Larger() {
  return {{32},
          {BlockOf("full", 4, 48, Precision::kF32),
           BlockOf("local:2", 4, 40, Precision::kF32),
           BlockOf("full", 4, 48, Precision::kF32)}};
}

struct Shrink : testing::Test {
  TaskData data = TinyData(16, 5, 1);
  NamedTensors weights = InitialWeights(Larger(), kTask, 3);

  double Loss(const NamedTensors& with) const {
    const std::vector<float> logits =
        ComputeFlatLogits(Larger(), kTask, with, data, 16);
    double loss = 0;
    std::size_t at = 0;
    std::size_t rows = 0;
    for (const Batch& batch : OrderedBatches(data, 16)) {
      double of_batch = 0;
      for (const std::int64_t row : batch.rows) {
        double sum = 0;
        for (std::size_t c = 0; c < 5; ++c) {
          sum += std::exp(static_cast<double>(logits[at + c]));
        }
        of_batch +=
            std::log(sum) -
            logits[at + static_cast<std::size_t>(
                            data.labels[static_cast<std::size_t>(row)])];
        at += 5;
        ++rows;
      }
      loss += of_batch / static_cast<double>(batch.rows.size());
    }
    EXPECT_EQ(rows, data.size());
    return loss;
  }

  // Columns of a layer's matrix times m.
  NamedTensors Masked(const std::string& layer, std::int64_t first,
                      std::int64_t count, float m) const {
    NamedTensors masked = weights;
    TensorData& matrix = masked.at(layer + ".weight");
    const std::int64_t columns = matrix.shape[1];
    for (std::int64_t row = 0; row < matrix.shape[0]; ++row) {
      for (std::int64_t i = first; i < first + count; ++i) {
        matrix.data<float>()[row * columns + i] *= m;
      }
    }
    return masked;
  }
};

// One length, so that there is one batch: then |dL/dm| is a derivative of one
// loss, which finite differences find.
TEST_F(Shrink, TaylorScoresAreDerivativesByMasks) {
  for (auto& tokens : data.tokens) tokens.resize(6, 1);
  const Importance scores =
      FindImportance(Larger(), kTask, weights, data, "taylor", 0);
  const Importance squares =
      FindImportance(Larger(), kTask, weights, data, "fisher", 0);
  constexpr float kStep = 0.03F;
  const auto derivative = [&](const std::string& layer, std::int64_t first,
                              std::int64_t count) {
    return (Loss(Masked(layer, first, count, 1 + kStep)) -
            Loss(Masked(layer, first, count, 1 - kStep))) /
           (2 * kStep);
  };
  double largest = 0;
  for (const double score : scores.neurons.at("encoder.1")) {
    largest = std::max(largest, score);
  }
  for (std::int64_t i = 0; i < 40; i += 7) {
    const double exact = derivative("encoder.1.feed_forward.down", i, 1);
    const auto at = static_cast<std::size_t>(i);
    EXPECT_NEAR(scores.neurons.at("encoder.1")[at], std::abs(exact),
                0.02 * largest);
    EXPECT_NEAR(squares.neurons.at("encoder.1")[at],
                std::pow(scores.neurons.at("encoder.1")[at], 2), 1e-9);
  }
  // Heads, relative to each other.
  std::vector<double> heads;
  double squared = 0;
  for (std::int64_t h = 0; h < 4; ++h) {
    heads.push_back(
        std::abs(derivative("encoder.0.attention.output", 8 * h, 8)));
    squared += heads.back() * heads.back();
  }
  for (std::size_t h = 0; h < 4; ++h) {
    EXPECT_NEAR(scores.heads.at("encoder.0")[h], heads[h] / std::sqrt(squared),
                0.02);
  }
}

// The pruned network is smaller, and computes what the masked one does.
TEST_F(Shrink, EqualsTheMaskedNetworkExactly) {
  for (const std::string& criterion : ImportanceCriteria()) {
    Architecture smaller = Larger();
    for (BlockSpec& block : smaller.encoder) {
      block.attention = *WithHeads(block.attention, 2);
      block.head_dim = 8;
      block.feed_forward.width = 24;
    }
    const NamedTensors cut = ShrinkNetwork(Larger(), smaller, kTask, weights,
                                           data, {.importance = criterion}, 5);
    CheckWeights(cut, smaller, kTask, "cut");
    const Importance scores =
        FindImportance(Larger(), kTask, weights, data, criterion, 5);
    NamedTensors masked = weights;
    const auto mask = [&](const std::string& layer,
                          const std::vector<double>& units, std::size_t kept,
                          std::int64_t size) {
      std::vector<double> sorted = units;
      std::sort(sorted.rbegin(), sorted.rend());
      TensorData& matrix = masked.at(layer + ".weight");
      const std::int64_t columns = matrix.shape[1];
      for (std::size_t unit = 0; unit < units.size(); ++unit) {
        if (units[unit] >= sorted[kept - 1]) continue;
        for (std::int64_t row = 0; row < matrix.shape[0]; ++row) {
          for (std::int64_t i = 0; i < size; ++i) {
            matrix.data<float>()[row * columns +
                                 static_cast<std::int64_t>(unit) * size + i] =
                0;
          }
        }
      }
    };
    for (const char* block : {"encoder.0", "encoder.1", "encoder.2"}) {
      mask(std::string(block) + ".attention.output", scores.heads.at(block), 2,
           8);
      mask(std::string(block) + ".feed_forward.down", scores.neurons.at(block),
           24, 1);
    }
    const std::vector<float> a =
        ComputeFlatLogits(Larger(), kTask, masked, data, 16);
    const std::vector<float> b =
        ComputeFlatLogits(smaller, kTask, cut, data, 16);
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_NEAR(a[i], b[i], 1e-5) << criterion;
    }
  }
}

TEST_F(Shrink, DropsTheLeastImportantBlock) {
  // Its second block adds nothing.
  Architecture larger = Larger();
  larger.encoder[1] = larger.encoder[0];
  weights = InitialWeights(larger, kTask, 3);
  for (const char* role : {".weight", ".bias"}) {
    for (const char* layer : {"attention.output", "feed_forward.down"}) {
      TensorData& tensor = weights.at(std::string("encoder.1.") + layer + role);
      std::fill_n(tensor.data<float>(), tensor.elements(), 0.F);
    }
  }
  Architecture smaller = larger;
  smaller.encoder.pop_back();
  const NamedTensors cut =
      ShrinkNetwork(larger, smaller, kTask, weights, data, {}, 5);
  CheckWeights(cut, smaller, kTask, "cut");
  EXPECT_EQ(cut.at("encoder.1.attention.query.weight"),
            weights.at("encoder.2.attention.query.weight"));
  const std::vector<float> a =
      ComputeFlatLogits(larger, kTask, weights, data, 16);
  const std::vector<float> b = ComputeFlatLogits(smaller, kTask, cut, data, 16);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5);
}

// At full rank nothing is lost; below, a layer's outputs stay closer when they
// are what is compared.
TEST_F(Shrink, FactorsLayers) {
  const std::vector<float> exact =
      ComputeFlatLogits(Larger(), kTask, weights, data, 16);
  const auto error = [&](std::int64_t rank, const char* metric) {
    Architecture smaller = Larger();
    for (BlockSpec& block : smaller.encoder) block.rank = rank;
    const NamedTensors cut = ShrinkNetwork(Larger(), smaller, kTask, weights,
                                           data, {.factors = metric}, 5);
    CheckWeights(cut, smaller, kTask, "cut");
    const std::vector<float> logits =
        ComputeFlatLogits(smaller, kTask, cut, data, 16);
    double sum = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      sum += std::pow(static_cast<double>(logits[i]) - exact[i], 2);
    }
    return std::sqrt(sum);
  };
  for (const char* metric : {"svd", "fisher", "activations"}) {
    EXPECT_GT(error(4, metric), error(12, metric)) << metric;
  }
  EXPECT_LT(error(12, "activations"), error(12, "svd"));
}

TEST_F(Shrink, RefusesWhatIsNotInTheNetwork) {
  const auto message = [&](const Architecture& larger,
                           const Architecture& smaller) -> std::string {
    try {
      CheckCanShrink(larger, smaller);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "";
  };
  const auto changed = [&](auto change) {
    Architecture smaller = Larger();
    change(smaller);
    return message(Larger(), smaller);
  };
  using testing::HasSubstr;
  EXPECT_EQ(message(Larger(), Larger()), "");
  EXPECT_THAT(changed([](auto& a) { a.stem.norm = Norm::kRms; }),
              HasSubstr("the stems differ"));
  EXPECT_THAT(changed([](auto& a) { a.encoder.push_back(a.encoder[0]); }),
              HasSubstr("the encoder has 3 blocks, and 4 are asked for"));
  EXPECT_THAT(changed([](auto& a) { a.encoder[0].feed_forward.width = 64; }),
              HasSubstr("encoder.0 has a feed-forward width of 48, and 64"));
  EXPECT_THAT(changed([](auto& a) { a.encoder[0].attention = MultiHead(2); }),
              HasSubstr("heads of dimension 8"));
  EXPECT_THAT(
      changed([](auto& a) { a.encoder[0].attention = LinearAttention{4}; }),
      HasSubstr("encoder.0 is of another kind"));
  Architecture shared = Larger();
  shared.encoder[0].attention = FullAttention{4, 1};
  Architecture fewer = shared;
  fewer.encoder[0].attention = FullAttention{2, 1};
  fewer.encoder[0].head_dim = 8;
  EXPECT_THAT(message(shared, fewer), HasSubstr("belong together"));
}

}  // namespace
}  // namespace hone
