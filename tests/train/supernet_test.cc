#include "train/supernet.h"

#include <cmath>

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include "tests/space/shapes.h"
#include "tests/train/eager_fixtures.h"
#include "tests/train/random_data.h"
#include "train/forward.h"
#include "train/shared_weights.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(20, 3, 8);

SearchSpace SmallSpace() {
  SearchSpaceOptions options;
  options.d_model = {16, 32};
  options.layers = {1, 2};
  options.heads = {2, 4};
  options.feed_forward = {16, 32};
  options.attention = {"full", "local:2"};
  options.precision = {"f32", "w8a8", "w4"};
  return SearchSpace(options, kTask);
}

struct Supernet : testing::Test {
  SearchSpace space = SmallSpace();
  TaskData data = TinyData(600, 3, 1);
  TaskData dev = TinyData(300, 3, 2);
  SupernetOptions options;
  TrainingOptions training;

  Supernet() {
    training.steps = 60;
    training.batch_size = 32;
    training.warmup_steps = 10;
    training.learning_rate = 3e-3;
    training.word_dropout = 0.05;
  }

  std::variant<NamedTensors, Failure> Train() const {
    return TrainSupernet({.space = &space, .data = &data, .seed = 5}, options,
                         training);
  }

  double Accuracy(const NamedTensors& shared,
                  const Architecture& member) const {
    const TensorData logits =
        ComputeLogits(WithoutPrecision(member), kTask,
                      ExtractSubnet(shared, member, kTask, 5), dev, 64);
    double right = 0;
    for (std::size_t row = 0; row < dev.size(); ++row) {
      const float* first = logits.data<float>() + row * 3;
      right += std::max_element(first, first + 3) - first == dev.labels[row];
    }
    return right / static_cast<double>(dev.size());
  }
};

TEST_F(Supernet, TrainsAllMembersAtOnce) {
  training.steps = 200;
  const auto trained = std::get<NamedTensors>(Train());
  EXPECT_GT(Accuracy(trained, LargestOf(space)), 0.8);
  EXPECT_GT(Accuracy(trained, SmallestOf(space)), 0.8);
  Rng rng(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_GT(Accuracy(trained, space.Sample(rng)), 0.75);
  }
}

TEST_F(Supernet, IsTheSameOnAnyNumberOfThreads) {
  options.project_conflicts = true;
  const auto usual = std::get<NamedTensors>(Train());
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism,
                                1);
  EXPECT_EQ(std::get<NamedTensors>(Train()), usual);
  training.learning_rate = 2e-3;
  EXPECT_NE(std::get<NamedTensors>(Train()), usual);
}

// Steps of some thousandths that were the same but for rounding. What keys are
// shifted by changes no answer, so that its gradient is nothing but that.
void ExpectAlike(const NamedTensors& one, const NamedTensors& other) {
  for (const auto& [name, tensor] : one) {
    if (name.ends_with("key.bias")) continue;
    const at::Tensor a = ToTensor(tensor, at::kCPU);
    const at::Tensor b = ToTensor(other.at(name), at::kCPU);
    EXPECT_LT(a.sub(b).abs().mean().item<double>(), 2e-5) << name;
  }
}

TEST_F(Supernet, ShardsAddUpToTheBatch) {
  training.steps = 3;
  training.dropout = 0;
  training.word_dropout = 0;
  options.rounded = false;
  options.shards = 1;
  const auto one = std::get<NamedTensors>(Train());
  options.shards = 3;
  ExpectAlike(one, std::get<NamedTensors>(Train()));
}

// Rows of a translation have different numbers of labels.
TEST_F(Supernet, ShardsOfATranslationAddUpToTheBatch) {
  SearchSpaceOptions small;
  small.d_model = {16};
  small.layers = {1};
  small.heads = {2};
  small.feed_forward = {16, 32};
  const TaskShape task = TranslationShape(20, 6, 8);
  const SearchSpace pairs(small, task);
  const TaskData texts = RandomExamples(task, 64, 3);
  training.steps = 3;
  training.dropout = 0;
  training.word_dropout = 0;
  options.rounded = false;
  const auto train = [&](std::int64_t shards) {
    options.shards = shards;
    return std::get<NamedTensors>(TrainSupernet(
        {.space = &pairs, .data = &texts, .seed = 5}, options, training));
  };
  ExpectAlike(train(1), train(3));
}

TEST_F(Supernet, BeginsWithWhatIsGiven) {
  training.steps = 1;
  training.learning_rate = 1e-8;
  training.warmup_steps = 0;
  SupernetJob job{.space = &space, .data = &data, .seed = 5};
  const auto shared = SharedShapesOf(space);
  NamedTensors initial =
      ExtractSubnet(SharedWeights(shared, {.seed = 77}).Snapshot(),
                    LargestOf(space), kTask, 77);
  job.initial = initial;
  const auto trained =
      std::get<NamedTensors>(TrainSupernet(job, options, training));
  for (const auto& [name, tensor] : initial) {
    EXPECT_LT(ToTensor(trained.at(name), at::kCPU)
                  .sub(ToTensor(tensor, at::kCPU))
                  .abs()
                  .max()
                  .item<double>(),
              1e-6)
        << name;
  }
}

TEST_F(Supernet, DivergenceIsAnOutcome) {
  SupernetJob job{.space = &space, .data = &data, .seed = 5};
  job.initial = {
      {"classifier.bias", TensorData::FromFloats({3}, {0, std::nanf(""), 0})}};
  const auto failure = std::get<Failure>(TrainSupernet(job, options, training));
  EXPECT_EQ(failure.code, "diverged");
  EXPECT_NE(failure.reason.find("step 1 of 60"), std::string::npos);
}

}  // namespace
}  // namespace hone
