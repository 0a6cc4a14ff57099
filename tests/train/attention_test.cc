#include "space/network/attention.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "train/eager_ops.h"

namespace hone {
namespace {

constexpr std::int64_t kHeads = 2;
constexpr std::int64_t kDim = 6;

struct Triple {
  at::Tensor q, k, v;
};

Triple RandomTriple(std::int64_t tokens, std::uint64_t seed) {
  const auto make = [&](std::uint64_t i) {
    return RandomTensor({3, kHeads, tokens, kDim}, seed + i);
  };
  return {make(0), make(1), make(2)};
}

at::Tensor Mix(WeightSource& weights, const std::string& word, const Triple& x,
               std::int64_t max_tokens, bool causal) {
  EagerOps ops(weights);
  const AttentionPlace place{"a", kDim, max_tokens, causal};
  return std::visit(
      [&](const auto& kind) { return Attend(ops, kind, place, x.q, x.k, x.v); },
      *WithHeads(ParseAttention(word), kHeads));
}

// softmax over the pairs that `seen` allows, written out.
template <typename Seen>
at::Tensor Dense(const Triple& x, Seen seen) {
  const std::int64_t tokens = x.q.size(2);
  at::Tensor mask = at::zeros({tokens, tokens}, x.q.options());
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t j = 0; j < tokens; ++j) {
      if (!seen(i, j)) mask[i][j] = -std::numeric_limits<double>::infinity();
    }
  }
  const double scale = std::sqrt(static_cast<double>(kDim));
  return at::matmul(
      at::softmax(at::matmul(x.q, x.k.transpose(2, 3)).div(scale).add(mask), 3),
      x.v);
}

void ExpectClose(const at::Tensor& actual, const at::Tensor& expected,
                 const std::string& what) {
  EXPECT_TRUE(at::allclose(actual, expected, 1e-9, 1e-9)) << what;
}

// Both spellings, dense and cut in blocks, against the definition.
TEST(LocalAttention, EqualsTheMaskedDenseOne) {
  const at::NoGradGuard no_grad;
  GivenWeights weights;
  for (const bool causal : {false, true}) {
    for (const std::int64_t tokens : {1, 2, 4, 7, 12, 13, 40}) {
      for (const std::int64_t window : {1, 3, 4}) {
        const Triple x = RandomTriple(tokens, 7);
        const at::Tensor expected = Dense(x, [&](auto i, auto j) {
          return std::abs(i - j) <= window && (!causal || j <= i);
        });
        for (const std::int64_t longest : {window, std::int64_t{40}}) {
          ExpectClose(Mix(weights, "local:" + std::to_string(window), x,
                          longest, causal),
                      expected,
                      std::to_string(tokens) + " tokens, window " +
                          std::to_string(window));
        }
      }
    }
  }
}

TEST(StridedAttention, EqualsTheMaskedDenseOne) {
  const at::NoGradGuard no_grad;
  GivenWeights weights;
  for (const bool causal : {false, true}) {
    for (const std::int64_t tokens : {1, 2, 4, 7, 12, 13, 40}) {
      for (const std::int64_t stride : {1, 2, 3, 5}) {
        const Triple x = RandomTriple(tokens, 8);
        const at::Tensor expected = Dense(x, [&](auto i, auto j) {
          const auto away = std::abs(i - j);
          return (away < stride || away % stride == 0) && (!causal || j <= i);
        });
        for (const std::int64_t longest : {stride, std::int64_t{40}}) {
          ExpectClose(Mix(weights, "strided:" + std::to_string(stride), x,
                          longest, causal),
                      expected,
                      std::to_string(tokens) + " tokens, stride " +
                          std::to_string(stride));
        }
      }
    }
  }
}

TEST(FullAttention, SharedKeysEqualRepeatedOnes) {
  const at::NoGradGuard no_grad;
  GivenWeights weights;
  EagerOps ops(weights);
  for (const bool causal : {false, true}) {
    const at::Tensor q = RandomTensor({3, 4, 9, kDim}, 1);
    const at::Tensor k = RandomTensor({3, 2, 9, kDim}, 2);
    const at::Tensor v = RandomTensor({3, 2, 9, kDim}, 3);
    const AttentionPlace place{"a", kDim, 9, causal};
    const at::Tensor shared = Attend(ops, FullAttention{4, 2}, place, q, k, v);
    const at::Tensor repeated =
        Attend(ops, MultiHead(4), place, q, k.repeat_interleave(2, 1),
               v.repeat_interleave(2, 1));
    ExpectClose(shared, repeated, "groups of two");
  }
}

// phi(q) (phi(k)^T v) over a row's sum, all pairs written out.
at::Tensor Quadratic(const at::Tensor& q, const at::Tensor& k,
                     const at::Tensor& v, bool causal) {
  at::Tensor pairs = at::matmul(q, k.transpose(2, 3));
  if (causal) pairs = at::tril(pairs);
  return at::matmul(pairs, v).div(pairs.sum(3, true));
}

TEST(LinearAttention, EqualsTheQuadraticForm) {
  const at::NoGradGuard no_grad;
  GivenWeights weights;
  for (const bool causal : {false, true}) {
    for (const std::int64_t tokens : {1, 5, 63, 64, 65, 200}) {
      const Triple x = RandomTriple(tokens, 9);
      ExpectClose(
          Mix(weights, "linear", x, tokens, causal),
          Quadratic(at::elu(x.q).add(1), at::elu(x.k).add(1), x.v, causal),
          std::to_string(tokens) + " tokens");
    }
  }
}

TEST(LinformerAttention, ProjectsKeysAndValuesAlongTheTokens) {
  const at::NoGradGuard no_grad;
  GivenWeights weights;
  const at::Tensor key = RandomTensor({4, 12}, 1);
  const at::Tensor value = RandomTensor({4, 12}, 2);
  weights.tensors["a.key_projection.weight"] = key;
  weights.tensors["a.value_projection.weight"] = value;
  weights.tensors["a.sequence_projection.weight"] = key;
  weights.tensors["encoder.sequence_projection.4.weight"] = value;
  const double scale = std::sqrt(static_cast<double>(kDim));
  for (const std::int64_t tokens : {1, 7, 12}) {
    const Triple x = RandomTriple(tokens, 3);
    const auto expected = [&](const at::Tensor& e, const at::Tensor& f) {
      const at::Tensor k = at::matmul(e.narrow(1, 0, tokens), x.k);
      const at::Tensor v = at::matmul(f.narrow(1, 0, tokens), x.v);
      return at::matmul(
          at::softmax(at::matmul(x.q, k.transpose(2, 3)).div(scale), 3), v);
    };
    ExpectClose(Mix(weights, "linformer:4", x, 12, false), expected(key, value),
                "headwise");
    ExpectClose(Mix(weights, "linformer:4:key-value", x, 12, false),
                expected(key, key), "key-value");
    ExpectClose(Mix(weights, "linformer:4:layerwise", x, 12, false),
                expected(value, value), "layerwise");
  }
}

// Root mean square error of Performer against softmax attention, over draws.
double PerformerError(std::int64_t features, bool causal) {
  // Of moderate length: the variance grows as the exponential of the squares.
  Triple x = RandomTriple(20, 11);
  x.q.mul_(0.3);
  x.k.mul_(0.3);
  const at::Tensor exact =
      Dense(x, [&](auto i, auto j) { return !causal || j <= i; });
  double sum = 0;
  constexpr int kDraws = 40;
  for (int draw = 0; draw < kDraws; ++draw) {
    TrainableWeights weights({.seed = static_cast<std::uint64_t>(draw),
                              .tensors = at::TensorOptions(at::kDouble)});
    sum += Mix(weights, "performer:" + std::to_string(features), x, 20, causal)
               .sub(exact)
               .square()
               .mean()
               .item<double>();
  }
  return std::sqrt(sum / kDraws);
}

TEST(PerformerAttention, ErrorFallsWithTheRootOfTheFeatures) {
  const at::NoGradGuard no_grad;
  for (const bool causal : {false, true}) {
    const double few = PerformerError(32, causal);
    const double many = PerformerError(512, causal);
    // 16 times the features: a quarter of the error, or better where
    // directions are orthogonal.
    EXPECT_LT(many, few / 3);
    EXPECT_GT(many, few / 7);
    EXPECT_LT(PerformerError(4096, causal), 0.05);
  }
}

TEST(PerformerAttention, FeaturesAreOrthogonalAndAsLongAsGaussians) {
  TrainableWeights weights({.seed = 3});
  const at::Tensor drawn =
      weights.Get("x.features", WeightRole::kRandomFeatures, {64, 16});
  for (std::int64_t group = 0; group < 4; ++group) {
    const at::Tensor rows = drawn.narrow(0, group * 16, 16);
    const at::Tensor products = at::matmul(rows, rows.t());
    const at::Tensor off = products.sub(at::tril(products)).abs().max();
    EXPECT_LT(off.item<float>(), 1e-3);
  }
  // The mean square of a component of a Gaussian vector is 1.
  EXPECT_NEAR(drawn.square().mean().item<float>(), 1, 0.2);
  const at::Tensor before = drawn.clone();
  weights.RedrawFeatures(1);
  const at::Tensor after =
      weights.Get("x.features", WeightRole::kRandomFeatures, {64, 16});
  EXPECT_FALSE(after.equal(before));
  EXPECT_TRUE(weights.Leaves(true).empty() && weights.Leaves(false).empty());
  EXPECT_TRUE(weights.Snapshot().contains("x.features"));
}

// Later tokens must not reach earlier ones.
TEST(CausalAttention, DoesNotSeeTheFuture) {
  const at::NoGradGuard no_grad;
  for (const std::string& word : AttentionWords(true)) {
    if (word == "full:1" || word == "full:2") continue;
    TrainableWeights weights(
        {.seed = 1, .tensors = at::TensorOptions(at::kDouble)});
    const Triple x = RandomTriple(90, 12);
    Triple changed{x.q.clone(), x.k.clone(), x.v.clone()};
    for (at::Tensor* one : {&changed.q, &changed.k, &changed.v}) {
      one->narrow(2, 70, 20).add_(1);
    }
    const at::Tensor a = Mix(weights, word, x, 90, true);
    const at::Tensor b = Mix(weights, word, changed, 90, true);
    EXPECT_TRUE(
        at::allclose(a.narrow(2, 0, 70), b.narrow(2, 0, 70), 1e-12, 1e-12))
        << word;
    EXPECT_FALSE(
        at::allclose(a.narrow(2, 70, 20), b.narrow(2, 70, 20), 1e-3, 1e-3))
        << word;
  }
}

// q . k after turning depends on the distance of places alone.
TEST(Rotary, ProductsDependOnTheDistance) {
  const at::NoGradGuard no_grad;
  GivenWeights weights;
  EagerOps ops(weights);
  const at::Tensor one = RandomTensor({1, 1, 1, 8}, 1).expand({1, 1, 10, 8});
  const at::Tensor two = RandomTensor({1, 1, 1, 8}, 2).expand({1, 1, 10, 8});
  const at::Tensor products = at::matmul(
      ops.Rotary(one, 10), ops.Rotary(two, 10).transpose(2, 3))[0][0];
  for (std::int64_t i = 1; i < 10; ++i) {
    for (std::int64_t j = 1; j < 10; ++j) {
      EXPECT_NEAR(products[i][j].item<double>(),
                  products[i - 1][j - 1].item<double>(), 1e-6);
    }
  }
  EXPECT_NEAR(products[3][3].item<double>(),
              at::matmul(one[0][0][0], two[0][0][0]).item<double>(), 1e-6);
}

}  // namespace
}  // namespace hone
