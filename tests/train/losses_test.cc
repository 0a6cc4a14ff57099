#include "train/distill/losses.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "tests/train/eager_fixtures.h"
#include "tests/train/gradients.h"

namespace hone {
namespace {

constexpr double kNoClip = 1e12;

at::Tensor LogProbabilities(at::IntArrayRef shape, std::uint64_t seed) {
  return at::log_softmax(RandomTensor(shape, seed), 1);
}

at::Tensor Ln(const std::vector<double>& probabilities) {
  return at::tensor(probabilities).unsqueeze(0).log();
}

double Only(const at::Tensor& x) { return x.sum().item<double>(); }

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}

// Teacher (1/2, 1/4, 1/4), student (1/4, 1/4, 1/2).
TEST(Divergences, EqualHandComputedValues) {
  const at::Tensor p = Ln({0.5, 0.25, 0.25});
  const at::Tensor q = Ln({0.25, 0.25, 0.5});
  EXPECT_NEAR(Only(ForwardKl(q, p)), 0.25 * std::log(2.0), 1e-12);
  EXPECT_NEAR(Only(ReverseKl(q, p)), 0.25 * std::log(2.0), 1e-12);
  // a = 2: half of sum p^2/q - 1, which is 1 + 1/4 + 1/8 - 1 = 3/8.
  EXPECT_NEAR(Only(AlphaDivergence(q, p, 2, kNoClip)), 3.0 / 16, 1e-12);
  // a = -1: half of sum q^2/p - 1 = 1/8 + 1/4 + 1 - 1.
  EXPECT_NEAR(Only(AlphaDivergence(q, p, -1, kNoClip)), 3.0 / 16, 1e-12);
  // a = 1/2: four times 1 - sum sqrt(p q).
  EXPECT_NEAR(Only(AlphaDivergence(q, p, 0.5, kNoClip)),
              4 * (0.75 - 2 * std::sqrt(0.125)), 1e-12);
}

TEST(Divergences, ArePositiveAndZeroForEqualDistributions) {
  const at::Tensor p = LogProbabilities({20, 6}, 1);
  const at::Tensor q = LogProbabilities({20, 6}, 2);
  for (const char* name : {"forward-kl", "reverse-kl", "alpha"}) {
    EXPECT_GT(DivergenceByName(name, q, p).min().item<double>(), 0) << name;
    EXPECT_NEAR(Only(DivergenceByName(name, p, p)), 0, 1e-12) << name;
  }
}

TEST(AlphaDivergence, TendsToBothKlDivergences) {
  const at::Tensor p = LogProbabilities({8, 6}, 1);
  const at::Tensor q = LogProbabilities({8, 6}, 2);
  for (const double near : {-1e-6, 0.0, 1e-6}) {
    EXPECT_LT(LargestDifference(AlphaDivergence(q, p, near, kNoClip),
                                ReverseKl(q, p)),
              1e-5)
        << near;
    EXPECT_LT(LargestDifference(AlphaDivergence(q, p, 1 + near, kNoClip),
                                ForwardKl(q, p)),
              1e-5)
        << 1 + near;
  }
}

TEST(AlphaDivergence, LargerOfTwoIsChosenByRow) {
  // The second row is the first with both swapped, so that the other wins.
  const at::Tensor p =
      at::tensor({0.98, 0.01, 0.01, 0.4, 0.3, 0.3}).view({2, 3}).log();
  const at::Tensor q = p.flip({0});
  const at::Tensor low = AlphaDivergence(q, p, -1, 5);
  const at::Tensor high = AlphaDivergence(q, p, 1, 5);
  const at::Tensor both = AdaptiveAlphaDivergence(q, p);
  EXPECT_NE(low.gt(high)[0].item<bool>(), low.gt(high)[1].item<bool>());
  for (int row = 0; row < 2; ++row) {
    EXPECT_EQ(both[row].item<double>(),
              std::max(low[row].item<double>(), high[row].item<double>()));
  }
}

TEST(Divergences, GradientsAreThoseOfFiniteDifferences) {
  const at::Tensor p = LogProbabilities({3, 5}, 1);
  const auto check = [&](auto divergence) {
    const at::Tensor logits = RandomTensor({3, 5}, 2).mul_(0.5);
    ExpectGradients([&] { return divergence(at::log_softmax(logits, 1)); },
                    {logits});
  };
  check([&](const at::Tensor& q) { return ForwardKl(q, p); });
  check([&](const at::Tensor& q) { return ReverseKl(q, p); });
}

// Finite differences see the value, so nothing may be clipped here.
TEST(AlphaDivergence, GradientIsThatOfFiniteDifferences) {
  const at::Tensor p = LogProbabilities({3, 5}, 1);
  for (const double alpha : {-1.0, -0.5, 0.01, 0.5, 0.99, 2.0}) {
    SCOPED_TRACE(alpha);
    const at::Tensor logits = RandomTensor({3, 5}, 2);
    ExpectGradients(
        [&] {
          return AlphaDivergence(at::log_softmax(logits, 1), p, alpha, kNoClip);
        },
        {logits});
  }
}

// The gradient as AlphaNet's program takes it, by a plain loop:
// dD/dz_c = -1/a sum_j q_j (w_j - 1) (delta_jc - q_c), w the clipped weights.
TEST(AlphaDivergence, ClippedGradientHasTheClippedWeights) {
  constexpr std::int64_t kClasses = 5;
  for (const double alpha : {-1.0, 2.0}) {
    const at::Tensor p = at::log_softmax(RandomTensor({1, 5}, 1).mul(4), 1);
    at::Tensor logits = RandomTensor({1, 5}, 2).mul_(4);
    logits.set_requires_grad(true);
    AlphaDivergence(at::log_softmax(logits, 1), p, alpha, 5).sum().backward();
    const at::NoGradGuard no_grad;
    const at::Tensor q = at::log_softmax(logits, 1).exp()[0];
    const at::Tensor w = p.exp()[0].div(q).pow(alpha).clamp_max(5);
    EXPECT_EQ(w.max().item<double>(), 5);
    for (std::int64_t c = 0; c < kClasses; ++c) {
      double expected = 0;
      for (std::int64_t j = 0; j < kClasses; ++j) {
        expected -= q[j].item<double>() * (w[j].item<double>() - 1) *
                    ((j == c ? 1 : 0) - q[c].item<double>()) / alpha;
      }
      EXPECT_NEAR(logits.grad()[0][c].item<double>(), expected, 1e-12);
    }
  }
}

TEST(AlphaDivergence, StaysFiniteWhereOneSideIsSure) {
  const at::Tensor sure = at::tensor({200.F, 0.F, -200.F}).unsqueeze(0);
  for (const double sign : {1.0, -1.0}) {
    at::Tensor logits = sure.mul(sign).set_requires_grad(true);
    const SoftTargets targets = SoftTargetsOf(sure.neg(), 1);
    const at::Tensor loss = SoftTargetLoss(logits, targets, "alpha", 1);
    loss.backward();
    EXPECT_TRUE(std::isfinite(loss.item<double>()));
    EXPECT_TRUE(std::isfinite(Only(logits.grad().abs())));
  }
}

TEST(SoftTargetLoss, EqualsAHandComputedDivergence) {
  // At T = 2 the logits halve: teacher softmax(ln 3, 0) = (3/4, 1/4), student
  // (1/2, 1/2). KL = 3/4 ln(3/2) + 1/4 ln(1/2); times T^2.
  const at::Tensor teacher = at::tensor({2 * std::log(3.0), 0.0}).view({1, 2});
  const at::Tensor student = at::tensor({5.0, 5.0}).view({1, 2});
  const double expected = 4 * (0.75 * std::log(1.5) + 0.25 * std::log(0.5));
  EXPECT_NEAR(
      Only(SoftTargetLoss(student, SoftTargetsOf(teacher, 2), "forward-kl", 2)),
      expected, 1e-12);
}

// d/dz of T^2 KL = T (softmax(z/T) - softmax(t/T)) / B (Hinton et al. 2015).
TEST(SoftTargetLoss, HasTheKnownGradientAndTeachesNotTheTeacher) {
  at::Tensor student = RandomTensor({3, 4}, 1).set_requires_grad(true);
  at::Tensor teacher = RandomTensor({3, 4}, 2).set_requires_grad(true);
  SoftTargetLoss(student, SoftTargetsOf(teacher, 2.5), "forward-kl", 2.5)
      .backward();
  const at::NoGradGuard no_grad;
  const at::Tensor expected =
      student.div(2.5).softmax(1).sub(teacher.div(2.5).softmax(1)).mul(2.5 / 3);
  EXPECT_LT(LargestDifference(student.grad(), expected), 1e-12);
  EXPECT_FALSE(teacher.grad().defined());
}

TEST(KeepOutcomes, SumsTheProbabilitiesOfAllOthers) {
  const at::Tensor tokens =
      at::tensor(std::vector<std::int64_t>{2, 0, 3, 1}).view({2, 2});
  const at::Tensor log =
      at::tensor({0.1, 0.2, 0.3, 0.4, 0.4, 0.3, 0.2, 0.1}).view({2, 4}).log();
  const at::Tensor expected =
      at::tensor({0.3, 0.1, 0.6, 0.1, 0.3, 0.6}).view({2, 3});
  EXPECT_LT(LargestDifference(KeepOutcomes(log, tokens).exp(), expected),
            1e-12);
}

// What is lost by adding up outcomes is never negative (data processing), and
// nothing is lost when only one is left.
TEST(KeepOutcomes, DivergenceRisesToThatOfAllOutcomes) {
  const at::Tensor teacher = LogProbabilities({6, 9}, 1);
  const at::Tensor student = LogProbabilities({6, 9}, 2);
  const at::Tensor order = std::get<1>(teacher.sort(1, true));
  for (const char* name : {"forward-kl", "reverse-kl"}) {
    at::Tensor before = ForwardKl(student, student);
    for (std::int64_t kept = 1; kept < 9; ++kept) {
      const at::Tensor tokens = order.narrow(1, 0, kept);
      const at::Tensor now = DivergenceByName(
          name, KeepOutcomes(student, tokens), KeepOutcomes(teacher, tokens));
      EXPECT_GE(now.sub(before).min().item<double>(), -1e-12);
      before = now;
    }
    EXPECT_LT(
        LargestDifference(before, DivergenceByName(name, student, teacher)),
        1e-12);
  }
}

TEST(KeepOutcomes, GradientsAreThoseOfFiniteDifferences) {
  const at::Tensor teacher = LogProbabilities({3, 6}, 1);
  const at::Tensor tokens =
      std::get<1>(teacher.sort(1, true)).narrow(1, 0, 2).contiguous();
  const SoftTargets targets{KeepOutcomes(teacher, tokens), tokens};
  for (const char* name : {"forward-kl", "reverse-kl"}) {
    const at::Tensor logits = RandomTensor({3, 6}, 2);
    ExpectGradients([&] { return SoftTargetLoss(logits, targets, name, 1.5); },
                    {logits});
  }
}

TEST(MeanProbabilities, IsTheLogOfTheirMean) {
  const at::Tensor a = RandomTensor({2, 3, 4}, 1);
  const at::Tensor b = RandomTensor({2, 3, 4}, 2);
  const at::Tensor expected = a.softmax(-1).add(b.softmax(-1)).div(2);
  EXPECT_LT(LargestDifference(MeanProbabilities({a, b}).exp(), expected),
            1e-12);
  // Also where a probability is too small for its own logarithm.
  const at::Tensor sure = at::tensor({0.0, 2000.0}).unsqueeze(0);
  EXPECT_TRUE(std::isfinite(Only(MeanProbabilities({sure, sure}))));
}

TEST(HiddenLoss, EqualsAHandComputedDistance) {
  // One token, student (1, 2), P = [[1, 0], [0, 1], [1, 1]]: (1, 2, 3) against
  // (1, 0, 0): (0 + 4 + 9) / 3.
  const at::Tensor student = at::tensor({1.0, 2.0}).view({1, 1, 2});
  const at::Tensor projection =
      at::tensor({1.0, 0.0, 0.0, 1.0, 1.0, 1.0}).view({3, 2});
  const at::Tensor teacher = at::tensor({1.0, 0.0, 0.0}).view({1, 1, 3});
  EXPECT_NEAR(Only(HiddenLoss(student, projection, teacher)), 13.0 / 3, 1e-12);
}

// One row of relations by plain loops.
std::vector<double> Relations(const at::Tensor& x_TW, std::int64_t head,
                              std::int64_t heads, std::int64_t token,
                              std::int64_t seen) {
  const std::int64_t width = x_TW.size(1) / heads;
  std::vector<double> shares;
  double sum = 0;
  for (std::int64_t other = 0; other < seen; ++other) {
    double score = 0;
    for (std::int64_t e = head * width; e < (head + 1) * width; ++e) {
      score += x_TW[token][e].item<double>() * x_TW[other][e].item<double>();
    }
    shares.push_back(std::exp(score / std::sqrt(static_cast<double>(width))));
    sum += shares.back();
  }
  for (double& share : shares) share /= sum;
  return shares;
}

void ExpectRelations(std::int64_t most, std::int64_t heads, bool causal) {
  const at::Tensor student = RandomTensor({2, 4, 6}, 1);
  const at::Tensor teacher = RandomTensor({2, 4, 9}, 2);
  const at::Tensor found = RelationDivergence(student, teacher, most, causal);
  ASSERT_EQ(found.sizes(), at::IntArrayRef({2, 4}));
  for (std::int64_t b = 0; b < 2; ++b) {
    for (std::int64_t t = 0; t < 4; ++t) {
      const std::int64_t seen = causal ? t + 1 : 4;
      double expected = 0;
      for (std::int64_t head = 0; head < heads; ++head) {
        const auto p = Relations(teacher[b], head, heads, t, seen);
        const auto q = Relations(student[b], head, heads, t, seen);
        for (std::size_t i = 0; i < p.size(); ++i) {
          expected += p[i] * std::log(p[i] / q[i]) / static_cast<double>(heads);
        }
      }
      EXPECT_NEAR(found[b][t].item<double>(), expected, 1e-12);
    }
  }
}

TEST(RelationDivergence, EqualsPlainLoops) {
  // Widths 6 and 9 can share 3 heads or 1.
  for (const bool causal : {false, true}) {
    ExpectRelations(8, 3, causal);
    ExpectRelations(3, 3, causal);
    ExpectRelations(2, 1, causal);
  }
}

TEST(RelationDivergence, SeesNoLaterTokensWhereTheyAreHidden) {
  const at::Tensor student = RandomTensor({1, 5, 4}, 1);
  const at::Tensor teacher = RandomTensor({1, 5, 8}, 2);
  const at::Tensor before = RelationDivergence(student, teacher, 4, true);
  at::Tensor changed = student.clone();
  changed.narrow(1, 3, 2).mul_(7);
  const at::Tensor after = RelationDivergence(changed, teacher, 4, true);
  EXPECT_TRUE(after.narrow(1, 0, 3).equal(before.narrow(1, 0, 3)));
  EXPECT_FALSE(after.equal(before));
}

// A relation is made of products, so it stays when each head is turned.
TEST(RelationDivergence, IsZeroForATurnedCopy) {
  const at::Tensor x = RandomTensor({2, 5, 4}, 1);
  const at::Tensor turn = std::get<0>(at::linalg_qr(RandomTensor({4, 4}, 2)));
  EXPECT_LT(Only(RelationDivergence(at::matmul(x, turn), x, 1, false).abs()),
            1e-12);
  EXPECT_GT(Only(RelationDivergence(at::matmul(x, turn), x, 2, false)), 1e-3);
}

TEST(RelationDivergence, GradientsAreThoseOfFiniteDifferences) {
  at::Tensor teacher = RandomTensor({2, 4, 9}, 2).set_requires_grad(true);
  for (const bool causal : {false, true}) {
    const at::Tensor student = RandomTensor({2, 4, 6}, 1);
    ExpectGradients(
        [&] { return RelationDivergence(student, teacher, 3, causal); },
        {student});
  }
  EXPECT_FALSE(teacher.grad().defined());
}

}  // namespace
}  // namespace hone
