#include "train/eager_ops.h"

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "space/network/transformer.h"
#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "tests/train/gradients.h"
#include "train/weights.h"

namespace hone {
namespace {

struct EagerOpsTest : testing::Test {
  GivenWeights weights;
  EagerOps ops{weights};
  at::Tensor x_BTD = RandomTensor({2, 5, 6}, 1);

  at::Tensor& Give(const std::string& name, at::IntArrayRef shape,
                   std::uint64_t seed) {
    return weights.tensors[name] = RandomTensor(shape, seed);
  }
};

TEST_F(EagerOpsTest, EmbeddingGradient) {
  const at::Tensor table = Give("e.weight", {7, 3}, 2);
  const at::Tensor tokens_BT =
      at::tensor(std::vector<std::int64_t>{0, 3, 3, 6, 1, 0}).view({2, 3});
  ExpectGradients(
      [&] {
        return ops.Embedding("e", tokens_BT, {7, 3});
      },
      {table});
}

TEST_F(EagerOpsTest, AddPositionsGradient) {
  const at::Tensor table = Give("p.weight", {8, 6}, 2);
  ExpectGradients([&] { return ops.AddPositions("p", x_BTD, 8, 6); },
                  {x_BTD, table});
}

TEST_F(EagerOpsTest, LinearGradient) {
  const at::Tensor weight = Give("l.weight", {4, 6}, 2);
  const at::Tensor bias = Give("l.bias", {4}, 3);
  ExpectGradients(
      [&] {
        return ops.Linear("l", x_BTD, {6, 4, Precision::kF32});
      },
      {x_BTD, weight, bias});
}

TEST_F(EagerOpsTest, LayerNormGradient) {
  const at::Tensor weight = Give("n.weight", {6}, 2);
  const at::Tensor bias = Give("n.bias", {6}, 3);
  ExpectGradients([&] { return ops.LayerNorm("n", x_BTD, 6); },
                  {x_BTD, weight, bias});
}

TEST_F(EagerOpsTest, AddGradient) {
  const at::Tensor y_BTD = RandomTensor({2, 5, 6}, 2);
  ExpectGradients([&] { return ops.Add(x_BTD, y_BTD); }, {x_BTD, y_BTD});
}

TEST_F(EagerOpsTest, GeluGradientAndExactForm) {
  ExpectGradients([&] { return ops.Gelu(x_BTD); }, {x_BTD});
  const at::NoGradGuard no_grad;
  const double x = x_BTD[0][0][0].item<double>();
  EXPECT_NEAR(ops.Gelu(x_BTD)[0][0][0].item<double>(),
              x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))), 1e-12);
}

TEST_F(EagerOpsTest, SplitAndMergeHeadsGradients) {
  const at::Tensor y_BHTE = RandomTensor({2, 3, 5, 2}, 3);
  ExpectGradients([&] { return ops.SplitHeads(x_BTD, 3); }, {x_BTD});
  ExpectGradients([&] { return ops.MergeHeads(y_BHTE); }, {y_BHTE});
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(ops.MergeHeads(ops.SplitHeads(x_BTD, 3)).equal(x_BTD));
  EXPECT_TRUE(
      ops.SplitHeads(x_BTD, 3).select(1, 2).equal(x_BTD.narrow(2, 4, 2)));
}

TEST_F(EagerOpsTest, MeanTokensGradient) {
  ExpectGradients([&] { return ops.MeanTokens(x_BTD); }, {x_BTD});
}

TEST_F(EagerOpsTest, AttentionGradientsFullAndWindowed) {
  for (const std::int64_t window : {-1, 0, 1, 3}) {
    const at::Tensor q = RandomTensor({2, 2, 6, 3}, 4);
    const at::Tensor k = RandomTensor({2, 2, 6, 3}, 5);
    const at::Tensor v = RandomTensor({2, 2, 6, 3}, 6);
    // A window of 0 sees one token: softmax is 1 and v alone matters.
    std::vector<at::Tensor> leaves = {v};
    if (window != 0) leaves = {q, k, v};
    ExpectGradients(
        [&] {
          return ops.ScaledDotProductAttention(q, k, v, {.window = window});
        },
        leaves);
  }
}

// softmax(q k^T / sqrt(E) + mask) v, written out.
at::Tensor DenseAttention(const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v, std::int64_t window) {
  const std::int64_t tokens = q.size(2);
  at::Tensor mask = at::full({tokens, tokens}, 0, q.options());
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t j = 0; j < tokens; ++j) {
      if (window >= 0 && std::abs(i - j) > window) {
        mask[i][j] = -std::numeric_limits<double>::infinity();
      }
    }
  }
  const double scale = std::sqrt(static_cast<double>(q.size(3)));
  return at::matmul(
      at::softmax(at::matmul(q, k.transpose(2, 3)).div(scale).add(mask), 3), v);
}

TEST_F(EagerOpsTest, AttentionEqualsTheDenseOracle) {
  const at::NoGradGuard no_grad;
  for (const auto type : {at::kDouble, at::kFloat}) {
    EagerOps typed(weights);
    for (const std::int64_t tokens : {1, 2, 7, 40}) {
      for (const std::int64_t window : {-1, 0, 1, 5, 39}) {
        const at::Tensor q = RandomTensor({3, 2, tokens, 4}, 7, type);
        const at::Tensor k = RandomTensor({3, 2, tokens, 4}, 8, type);
        const at::Tensor v = RandomTensor({3, 2, tokens, 4}, 9, type);
        const double tolerance = type == at::kDouble ? 1e-12 : 1e-5;
        EXPECT_TRUE(at::allclose(
            typed.ScaledDotProductAttention(q, k, v, {.window = window}),
            DenseAttention(q, k, v, window), tolerance, tolerance))
            << tokens << " tokens, window " << window;
      }
    }
  }
}

TEST_F(EagerOpsTest, WindowThatHidesNothingIsFullAttention) {
  const at::NoGradGuard no_grad;
  const at::Tensor q = RandomTensor({2, 2, 6, 4}, 7, at::kFloat);
  const at::Tensor full = ops.ScaledDotProductAttention(q, q, q, {});
  for (const std::int64_t window : {5, 6, 100}) {
    EXPECT_TRUE(
        ops.ScaledDotProductAttention(q, q, q, {.window = window}).equal(full));
  }
  EXPECT_FALSE(
      ops.ScaledDotProductAttention(q, q, q, {.window = 4}).equal(full));
}

// Every kind of network, every weight of it.
TEST_F(EagerOpsTest, WholeNetworkGradients) {
  for (NetworkCase one : NetworkCases(8, Precision::kF32)) {
    // Small, and of blocks of one token where texts are cut in blocks.
    for (auto* blocks :
         {&one.architecture.encoder, &one.architecture.decoder}) {
      for (BlockSpec& block : *blocks) block.feed_forward.width = 3;
    }
    one.task.vocabulary = std::min<std::int64_t>(one.task.vocabulary, 6);
    std::vector<at::Tensor> leaves;
    weights.tensors.clear();
    for (const auto& [name, data] :
         InitialWeights(one.architecture, one.task, 1)) {
      at::Tensor& given = Give(name, data.shape, StreamSeed(1, 0, name));
      if (name.ends_with(".features")) continue;
      given.mul_(0.5);
      leaves.push_back(given);
    }
    EagerOps fresh(weights);
    const at::Tensor tokens_BT =
        at::tensor(std::vector<std::int64_t>{1, 2, 5, 0, 1, 1}).view({2, 3});
    const at::Tensor input = one.task.features > 0
                                 ? RandomTensor({2, 3, one.task.features}, 7)
                                 : tokens_BT;
    SCOPED_TRACE(one.name);
    // A projection is as long as the longest text, and a table of places too:
    // not all of a weight need be used.
    ExpectGradients(
        [&] {
          return Transformer(fresh, one.architecture, one.task, input,
                             tokens_BT);
        },
        leaves, 5);
    if (HasFailure()) return;
  }
}

TEST(Dropout, KeepsTheExpectationAndTheStatedShare) {
  GivenWeights weights;
  EagerOptions options{.dropout = 0.25,
                       .generator = MakeGenerator(at::kCPU, 1)};
  EagerOps ops(weights, options);
  const at::NoGradGuard no_grad;
  const at::Tensor y = ops.Dropout(at::full({100003}, 1.0F));
  EXPECT_NEAR(y.mean().item<double>(), 1, 0.01);
  EXPECT_NEAR(y.eq(0).to(at::kDouble).mean().item<double>(), 0.25, 0.01);
  EXPECT_FLOAT_EQ(y.max().item<float>(), 1 / 0.75F);
  EXPECT_FALSE(ops.Dropout(at::full({100003}, 1.0F)).equal(y));
  EagerOps again(weights,
                 {.dropout = 0.25, .generator = MakeGenerator(at::kCPU, 1)});
  EXPECT_TRUE(again.Dropout(at::full({100003}, 1.0F)).equal(y));
}

TEST(Tap, KeepsWhatIsAskedFor) {
  GivenWeights weights;
  EagerOps ops(weights, {.taps = {"a"}});
  ops.Tap("a", RandomTensor({2}, 1));
  ops.Tap("b", RandomTensor({2}, 2));
  EXPECT_TRUE(ops.TakeTap("a").equal(RandomTensor({2}, 1)));
  EXPECT_THROW(ops.TakeTap("b"), Error);
}

TEST(FakeQuantize, EqualsTheScalarForm) {
  const ActivationQuantization quantization{0.05F, 120};
  const at::Tensor x = RandomTensor({1000}, 3, at::kFloat).mul_(5);
  const at::Tensor y = FakeQuantize(x, quantization);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const auto code = std::nearbyint(x[i].item<float>() / 0.05F) + 120;
    const float clamped = std::min(255.F, std::max(0.F, code));
    EXPECT_FLOAT_EQ(y[i].item<float>(), (clamped - 120) * 0.05F);
  }
}

}  // namespace
}  // namespace hone
