#include "train/distill/distillation.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "space/network/transformer.h"
#include "tests/space/shapes.h"
#include "tests/train/eager_fixtures.h"
#include "train/distill/losses.h"
#include "train/eager_ops.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

TEST(SoftTargetLoss, EqualsAHandComputedDivergence) {
  // At T = 2 the logits halve: teacher softmax(ln 3, 0) = (3/4, 1/4), student
  // (1/2, 1/2). KL = 3/4 ln(3/2) + 1/4 ln(1/2); times T^2.
  const at::Tensor teacher = at::tensor({2 * std::log(3.0), 0.0}).view({1, 2});
  const at::Tensor student = at::tensor({5.0, 5.0}).view({1, 2});
  const double expected = 4 * (0.75 * std::log(1.5) + 0.25 * std::log(0.5));
  EXPECT_NEAR(SoftTargetLoss(student, teacher, 2).item<double>(), expected,
              1e-12);
}

TEST(SoftTargetLoss, IsZeroForEqualDistributionsAndPositiveElsewhere) {
  const at::Tensor a = RandomTensor({4, 5}, 1);
  EXPECT_NEAR(SoftTargetLoss(a.add(3), a, 1.5).item<double>(), 0, 1e-12);
  EXPECT_GT(SoftTargetLoss(RandomTensor({4, 5}, 2), a, 1.5).item<double>(), 0);
}

// d/dz of T^2 KL = T (softmax(z/T) - softmax(t/T)) / B (Hinton et al. 2015).
TEST(SoftTargetLoss, HasTheKnownGradientAndTeachesNotTheTeacher) {
  at::Tensor student = RandomTensor({3, 4}, 1).set_requires_grad(true);
  at::Tensor teacher = RandomTensor({3, 4}, 2).set_requires_grad(true);
  SoftTargetLoss(student, teacher, 2.5).backward();
  const at::NoGradGuard no_grad;
  const at::Tensor expected =
      student.div(2.5).softmax(1).sub(teacher.div(2.5).softmax(1)).mul(2.5 / 3);
  EXPECT_LT(student.grad().sub(expected).abs().max().item<double>(), 1e-12);
  EXPECT_FALSE(teacher.grad().defined());
}

TEST(HiddenLoss, EqualsAHandComputedDistance) {
  // One token, student (1, 2), P = [[1, 0], [0, 1], [1, 1]]: (1, 2, 3) against
  // (1, 0, 0): (0 + 4 + 9) / 3.
  const at::Tensor student = at::tensor({1.0, 2.0}).view({1, 1, 2});
  const at::Tensor projection =
      at::tensor({1.0, 0.0, 0.0, 1.0, 1.0, 1.0}).view({3, 2});
  const at::Tensor teacher = at::tensor({1.0, 0.0, 0.0}).view({1, 1, 3});
  EXPECT_NEAR(HiddenLoss(student, projection, teacher).item<double>(), 13.0 / 3,
              1e-12);
}

TEST(ComputeLogits, PutsEveryRowInItsPlace) {
  const Architecture architecture = TinyArchitecture(8, Precision::kF32);
  const TaskShape task = ClassifierShape(40, 5, 8);
  const TaskData data = TinyData(37, 5, 1);
  const NamedTensors weights = InitialWeights(architecture, task, 2);
  const TensorData logits = ComputeLogits(architecture, task, weights, data, 4);
  EXPECT_EQ(logits.shape, (std::vector<std::int64_t>{37, 5}));
  StoredWeights source(weights, at::kCPU);
  EagerOps ops(source);
  const at::NoGradGuard no_grad;
  for (std::size_t row = 0; row < data.size(); ++row) {
    const at::Tensor alone = Classifier(
        ops, architecture, task, at::tensor(data.tokens[row]).unsqueeze(0));
    for (std::int64_t c = 0; c < 5; ++c) {
      EXPECT_NEAR(logits.data<float>()[static_cast<std::int64_t>(row) * 5 + c],
                  alone[0][c].item<float>(), 1e-5);
    }
  }
}

}  // namespace
}  // namespace hone
