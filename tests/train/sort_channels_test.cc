#include "train/compress/sort_channels.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/space/kinds.h"
#include "tests/train/random_data.h"
#include "train/compress/shrink.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

// Every kind of network computes the same before and after.
TEST(SortByImportance, KeepsTheFunction) {
  for (const NetworkCase& one : NetworkCases(16, Precision::kF32)) {
    if (!CanSort(one.architecture)) continue;
    const NamedTensors weights = InitialWeights(one.architecture, one.task, 3);
    const TaskData data = RandomExamples(one.task, 10, 4);
    const NamedTensors sorted = SortByImportance(
        one.architecture, weights,
        FindImportance(one.architecture, one.task, weights, data, "random", 5));
    const auto before =
        ComputeFlatLogits(one.architecture, one.task, weights, data, 8);
    const auto after =
        ComputeFlatLogits(one.architecture, one.task, sorted, data, 8);
    ASSERT_EQ(before.size(), after.size());
    double error = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      error = std::max<double>(error, std::abs(before[i] - after[i]));
    }
    EXPECT_LT(error, 2e-5) << one.name;
  }
}

TEST(SortByImportance, LeavesProductsOfMatricesAlone) {
  Architecture factored{{32}, {BlockOf("full", 4, 48, Precision::kF32)}};
  EXPECT_TRUE(CanSort(factored));
  factored.encoder[0].rank = 4;
  EXPECT_FALSE(CanSort(factored));
}

// The first neurons and heads of the sorted network are those that pruning by
// the same scores keeps.
TEST(SortByImportance, TheFirstAreTheMostImportant) {
  const TaskShape task = ClassifierShape(40, 5, 8);
  const Architecture whole{{32}, {BlockOf("full", 4, 48, Precision::kF32)}};
  const NamedTensors weights = InitialWeights(whole, task, 3);
  const TaskData data = RandomExamples(task, 16, 4);
  const NamedTensors sorted = SortByImportance(
      whole, weights, FindImportance(whole, task, weights, data, "taylor", 0));
  const Importance again =
      FindImportance(whole, task, sorted, data, "taylor", 0);
  for (const std::vector<double>& scores :
       {again.channels, again.neurons.at("encoder.0"),
        again.heads.at("encoder.0")}) {
    for (std::size_t i = 1; i < scores.size(); ++i) {
      EXPECT_LE(scores[i], scores[i - 1] * 1.001);
    }
  }
}

}  // namespace
}  // namespace hone
