#include "train/shared_weights.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "space/network/transformer.h"
#include "tests/space/kinds.h"
#include "tests/train/random_data.h"
#include "train/eager_ops.h"
#include "train/forward.h"

namespace hone {
namespace {

constexpr std::uint64_t kSeed = 7;

SearchSpaceOptions ManyChoices() {
  SearchSpaceOptions options;
  options.d_model = {16, 24, 32};
  options.layers = {1, 2, 3};
  options.decoder_layers = {1, 2};
  options.heads = {2, 4};
  options.feed_forward = {24, 64};
  options.attention = {"full", "full:1", "local:2", "linear", "performer:6"};
  options.activation = {"gelu", "swiglu"};
  options.output = {"tied", "untied"};
  options.rank = {0, 6};
  options.precision = {"f32", "w8a8"};
  return options;
}

struct SpaceCase {
  const char* name;
  TaskShape task;
};

class SharedWeightsTest : public testing::TestWithParam<SpaceCase> {
 protected:
  SearchSpace space_{ManyChoices(), GetParam().task};
  TaskData data_ = RandomExamples(GetParam().task, 12, 3);

  NetworkBatch SomeBatch() const {
    return MakeNetworkBatch(data_, GetParam().task,
                            OrderedBatches(data_, 4).back(), at::kCPU);
  }

  at::Tensor Logits(WeightSource& source, const Architecture& architecture,
                    const NetworkBatch& batch) const {
    EagerOps ops(source);
    return Transformer(ops, architecture, GetParam().task, batch.input,
                       batch.target);
  }
};

TEST_P(SharedWeightsTest, ASubnetIsExactlyTheSlice) {
  SharedWeights shared(SharedShapesOf(space_), {.seed = kSeed});
  const NetworkBatch batch = SomeBatch();
  const NamedTensors snapshot = shared.Snapshot();
  Rng rng(1);
  for (int i = 0; i < 40; ++i) {
    const Architecture member = WithoutPrecision(space_.Sample(rng));
    const NamedTensors extracted =
        ExtractSubnet(snapshot, member, GetParam().task, kSeed);
    StoredWeights stored(extracted, at::kCPU);
    const at::NoGradGuard no_grad;
    shared.BeginStep(batch.input);
    EXPECT_TRUE(at::equal(
        Logits(shared.Source(0, SharedWeights::Member::kOther), member, batch),
        Logits(stored, member, batch)))
        << CanonicalText(member);
  }
}

at::Tensor LossOf(const at::Tensor& logits, const NetworkBatch& batch) {
  return at::cross_entropy_loss(logits.flatten(0, -2), batch.labels.flatten(),
                                {}, at::Reduction::Mean, kNoLabel);
}

// Against autograd's own way: whole leaves, cut by narrow.
class NarrowedLeaves : public WeightSource {
 public:
  explicit NarrowedLeaves(const NamedTensors& whole) {
    for (const auto& [name, tensor] : whole) {
      leaves[name] = ToTensor(tensor, at::kCPU).set_requires_grad(true);
    }
  }
  at::Tensor Get(const std::string& name, WeightRole role,
                 at::IntArrayRef shape) override {
    if (role == WeightRole::kRandomFeatures) {
      return NewFeatures(name, shape[0], shape[1], kSeed, 0, at::kFloat);
    }
    return FirstOf(leaves.at(name), shape);
  }
  std::map<std::string, at::Tensor> leaves;
};

TEST_P(SharedWeightsTest, GradientsAreThoseOfSlices) {
  SharedWeights shared(SharedShapesOf(space_), {.seed = kSeed, .shards = 2});
  NarrowedLeaves plain(shared.Snapshot());
  const NetworkBatch batch = SomeBatch();
  shared.BeginStep(batch.input);
  Rng rng(2);
  for (int i = 0; i < 6; ++i) {
    const Architecture member = WithoutPrecision(space_.Sample(rng));
    const auto side = i % 3 == 0 ? SharedWeights::Member::kLargest
                                 : SharedWeights::Member::kOther;
    WeightSource& source = shared.Source(static_cast<std::size_t>(i % 2), side);
    LossOf(Logits(source, member, batch), batch).backward();
    LossOf(Logits(plain, member, batch), batch).backward();
  }
  shared.CollectGradients(/*project=*/false);
  double sum = 0;
  for (const auto& [name, leaf] : plain.leaves) {
    if (leaf.grad().defined()) {
      sum += leaf.grad().square().sum().item<double>();
    }
  }
  EXPECT_GT(sum, 0);
  EXPECT_NEAR(GradientNorm(shared.Gradients()), std::sqrt(sum),
              1e-4 * std::sqrt(sum));
}

TEST_P(SharedWeightsTest, AStepMovesWhatWasReadAndNothingElse) {
  SharedWeights shared(SharedShapesOf(space_), {.seed = kSeed});
  const NamedTensors before = shared.Snapshot();
  const NetworkBatch batch = SomeBatch();
  Rng rng(3);
  const Architecture member = WithoutPrecision(space_.Sample(rng));
  const NamedTensors own =
      ExtractSubnet(before, member, GetParam().task, kSeed);
  shared.BeginStep(batch.input);
  LossOf(Logits(shared.Source(0, SharedWeights::Member::kOther), member, batch),
         batch)
      .backward();
  shared.CollectGradients(false);
  shared.Step(1e-2, 1e-2, 1);
  std::size_t moved = 0;
  for (const auto& [name, tensor] : shared.Snapshot()) {
    const at::Tensor change = ToTensor(tensor, at::kCPU)
                                  .sub(ToTensor(before.at(name), at::kCPU))
                                  .abs();
    const auto cut = own.find(name);
    const at::Tensor inside =
        cut == own.end() ? at::zeros({1}) : FirstOf(change, cut->second.shape);
    moved += inside.max().item<double>() > 0;
    EXPECT_NEAR(change.sum().item<double>(), inside.sum().item<double>(),
                1e-4 * (1 + inside.sum().item<double>()))
        << name;
  }
  EXPECT_GT(moved, own.size() / 2);
}

INSTANTIATE_TEST_SUITE_P(
    All, SharedWeightsTest,
    testing::Values(SpaceCase{"encoder", ClassifierShape(50, 6, 12)},
                    SpaceCase{"decoder", DecoderShape(50, 12)},
                    SpaceCase{"translation", TranslationShape(50, 12, 10)},
                    SpaceCase{"images", FeatureShape(9, 6, 12)}),
    [](const auto& info) { return std::string(info.param.name); });

// s = (1, 0), k = (-1, 1): <s,k> = -1, |k|^2 = 2, so l = 1/2 and what is left
// of s + k is (-0.5, 1.5).
TEST(SharedWeights, ProjectionTakesOutWhatOpposes) {
  SharedShapes shapes;
  shapes["w"] = {WeightRole::kBias, {2}, false};
  for (const bool project : {false, true}) {
    SharedWeights shared(shapes, {});
    const auto give = [&](SharedWeights::Member member, float a, float b) {
      at::Tensor gradient =
          shared.Source(0, member).Get("w", WeightRole::kBias, {2}).grad();
      gradient.select(0, 0).fill_(a);
      gradient.select(0, 1).fill_(b);
    };
    give(SharedWeights::Member::kLargest, 1, 0);
    give(SharedWeights::Member::kOther, -1, 1);
    shared.CollectGradients(project);
    const at::Tensor sum = shared.Gradients().at(0);
    EXPECT_NEAR(sum.select(0, 0).item<double>(), project ? -0.5 : 0, 1e-6);
    EXPECT_NEAR(sum.select(0, 1).item<double>(), project ? 1.5 : 1, 1e-6);
  }
}

}  // namespace
}  // namespace hone
