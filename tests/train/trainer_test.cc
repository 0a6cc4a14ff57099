#include "train/trainer.h"

#include <cmath>
#include <limits>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/task_arena.h>

#include "tests/space/shapes.h"
#include "tests/train/eager_fixtures.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(40, 5, 8);

struct TrainerTest : testing::Test {
  TaskData data = TinyData(160, 5, 1);
  TrainingJob job;
  TrainingOptions options;

  TrainerTest() {
    job.architecture = TinyArchitecture(16, Precision::kF32);
    job.task = kTask;
    job.data = &data;
    job.seed = 11;
    options.steps = 40;
    options.batch_size = 16;
    options.learning_rate = 3e-3;
    options.warmup_steps = 10;
  }

  TrainingResult Train() const {
    return std::get<TrainingResult>(TrainNetwork(job, options));
  }
  std::vector<std::int64_t> Predict(const Architecture& architecture,
                                    const NamedTensors& weights) const {
    const TensorData logits =
        ComputeLogits(architecture, kTask, weights, data, 64);
    std::vector<std::int64_t> classes;
    for (std::size_t row = 0; row < data.size(); ++row) {
      const auto* first =
          logits.data<float>() + static_cast<std::int64_t>(row) * kTask.classes;
      classes.push_back(std::max_element(first, first + kTask.classes) - first);
    }
    return classes;
  }
  static double Agreement(const std::vector<std::int64_t>& a,
                          const std::vector<std::int64_t>& b) {
    double equal = 0;
    for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
    return equal / static_cast<double>(a.size());
  }
  // A teacher that was trained on the data with permuted labels: agreement with
  // it cannot come from the labels.
  Teacher PermutedTeacher() const {
    TaskData permuted = data;
    for (std::int64_t& label : permuted.labels) label = (label + 2) % 5;
    TrainingJob teaching = job;
    teaching.data = &permuted;
    teaching.architecture = TinyArchitecture(32, Precision::kF32);
    TrainingOptions longer = options;
    longer.steps = 300;
    Teacher teacher{
        teaching.architecture,
        kTask,
        std::get<TrainingResult>(TrainNetwork(teaching, longer)).weights,
        {}};
    teacher.logits_NC =
        ComputeLogits(teacher.architecture, kTask, teacher.weights, data, 64);
    return teacher;
  }
};

TEST_F(TrainerTest, FitsASmallSet) {
  options.steps = 400;
  options.dropout = 0;
  const TrainingResult result = Train();
  EXPECT_LT(result.final_loss, 0.05);
  EXPECT_GT(Agreement(Predict(job.architecture, result.weights), data.labels),
            0.99);
  EXPECT_GT(result.tokens_per_second, 0);
}

TEST_F(TrainerTest, ResultHasTheNetworksWeightsAndNoOthers) {
  const Teacher teacher = PermutedTeacher();
  job.teacher = &teacher;
  job.distillation.hidden_weight = 1;
  EXPECT_NO_THROW(
      CheckWeights(Train().weights, job.architecture, kTask, "result"));
}

TEST_F(TrainerTest, SameJobGivesSameBytesAlsoBesideOthers) {
  TrainingJob other = job;
  other.seed = 12;
  other.architecture = TinyArchitecture(32, Precision::kF32);
  const TrainingResult first = Train();
  const auto second = std::get<TrainingResult>(TrainNetwork(other, options));
  TrainingResult beside_first;
  TrainingResult beside_second;
  std::thread a([&] { beside_first = Train(); });
  std::thread b([&] {
    beside_second = std::get<TrainingResult>(TrainNetwork(other, options));
  });
  a.join();
  b.join();
  EXPECT_EQ(beside_first.weights, first.weights);
  EXPECT_EQ(beside_first.final_loss, first.final_loss);
  EXPECT_EQ(beside_second.weights, second.weights);
}

TEST_F(TrainerTest, LogitsAreSeenInOrderOnAnyNumberOfThreads) {
  const NamedTensors weights = Train().weights;
  constexpr std::int64_t kBatch = 3;
  const auto seen_by = [&](int threads) {
    std::vector<std::vector<std::int64_t>> rows;
    std::vector<float> logits;
    tbb::task_arena(threads).execute([&] {
      ForEachLogits(job.architecture, kTask, weights, data, kBatch,
                    [&](const Batch& batch, std::span<const float> some) {
                      rows.push_back(batch.rows);
                      logits.insert(logits.end(), some.begin(), some.end());
                    });
    });
    return std::pair(rows, logits);
  };
  std::vector<std::vector<std::int64_t>> in_order;
  for (const Batch& batch : OrderedBatches(data, kBatch)) {
    in_order.push_back(batch.rows);
  }
  const auto alone = seen_by(1);
  EXPECT_EQ(alone.first, in_order);
  EXPECT_EQ(alone.second.size(), data.size() * kTask.classes);
  EXPECT_EQ(seen_by(4), alone);
}

TEST_F(TrainerTest, AVisitorsErrorEndsTheLogits) {
  const NamedTensors weights = Train().weights;
  EXPECT_THROW(ForEachLogits(job.architecture, kTask, weights, data, 3,
                             [](const Batch&, std::span<const float>) {
                               throw Error(ErrorCode::kCancelled, "enough");
                             }),
               Error);
}

TEST_F(TrainerTest, SeedsMatter) {
  const TrainingResult first = Train();
  job.seed = 12;
  EXPECT_NE(Train().weights, first.weights);
}

TEST_F(TrainerTest, DivergenceIsAFailureWithItsReason) {
  for (const double rate : {std::numeric_limits<double>::infinity(), 1e38}) {
    options.learning_rate = rate;
    const auto outcome = TrainNetwork(job, options);
    ASSERT_TRUE(std::holds_alternative<Failure>(outcome)) << rate;
    EXPECT_EQ(std::get<Failure>(outcome).code, "diverged");
    EXPECT_THAT(std::get<Failure>(outcome).reason,
                testing::HasSubstr("not finite at step"));
  }
}

TEST_F(TrainerTest, DivergenceInTheLastStepIsSeen) {
  options.learning_rate = std::numeric_limits<double>::infinity();
  options.steps = 1;
  options.warmup_steps = 0;
  EXPECT_TRUE(std::holds_alternative<Failure>(TrainNetwork(job, options)));
}

TEST_F(TrainerTest, StudentComesToAgreeWithItsTeacher) {
  const Teacher teacher = PermutedTeacher();
  const auto taught = Predict(teacher.architecture, teacher.weights);
  options.steps = 200;
  const double alone =
      Agreement(Predict(job.architecture, Train().weights), taught);
  job.teacher = &teacher;
  job.distillation = {.hard_weight = 0, .logits_weight = 1};
  const double distilled =
      Agreement(Predict(job.architecture, Train().weights), taught);
  EXPECT_LT(alone, 0.3);
  EXPECT_GT(distilled, 0.9);
}

TEST_F(TrainerTest, HiddenStatesAloneTeachTheEncoder) {
  const Teacher teacher = PermutedTeacher();
  job.teacher = &teacher;
  job.distillation = {.hard_weight = 0, .logits_weight = 0, .hidden_weight = 1};
  options.steps = 20;
  const double early = Train().final_loss;
  options.steps = 300;
  EXPECT_LT(Train().final_loss, 0.7 * early);
}

TEST_F(TrainerTest, GivenInitialValuesAreTheStart) {
  job.initial["embedding.weight"] =
      TensorData::FromFloats({40, 16}, std::vector<float>(40 * 16, 0.5F));
  options.learning_rate = 0;
  const TrainingResult result = Train();
  EXPECT_EQ(result.weights.at("embedding.weight"),
            job.initial.at("embedding.weight"));
  EXPECT_EQ(result.weights.at("classifier.weight"),
            InitialWeights(job.architecture, kTask, job.seed)
                .at("classifier.weight"));
  job.initial["no.such.weight"] = TensorData::FromFloats({1}, {1});
  EXPECT_THROW(Train(), Error);
}

TEST_F(TrainerTest, EmbeddingRateIsScaled) {
  options.embedding_learning_rate_scale = 0;
  const TrainingResult result = Train();
  const NamedTensors initial =
      InitialWeights(job.architecture, kTask, job.seed);
  EXPECT_EQ(result.weights.at("embedding.weight"),
            initial.at("embedding.weight"));
  EXPECT_NE(result.weights.at("position.weight"),
            initial.at("position.weight"));
}

// With nearly every word dropped the unknown token's row is trained far more
// than the others, which then hardly move; without, it occurs in no text.
TEST_F(TrainerTest, DroppedWordsBecomeTheUnknownToken) {
  for (auto& tokens : data.tokens) {
    for (std::int64_t& token : tokens) token = 1 + token % 39;
  }
  const auto motion_of_unknown = [&](double word_dropout) {
    options.word_dropout = word_dropout;
    const NamedTensors start =
        InitialWeights(job.architecture, kTask, job.seed);
    const NamedTensors end = Train().weights;
    double motion = 0;
    for (std::int64_t d = 0; d < 16; ++d) {
      motion += std::abs(end.at("embedding.weight").data<float>()[d] -
                         start.at("embedding.weight").data<float>()[d]);
    }
    return motion;
  };
  EXPECT_EQ(motion_of_unknown(0), 0);
  EXPECT_GT(motion_of_unknown(0.5), 0.01);
  EXPECT_EQ(Train().weights, Train().weights);
}

TEST_F(TrainerTest, CanBeCancelledAndReportsSteps) {
  std::atomic<bool> cancelled = false;
  std::vector<std::int64_t> steps;
  job.cancelled = &cancelled;
  job.on_step = [&](std::int64_t step, std::int64_t all) {
    EXPECT_EQ(all, 40);
    steps.push_back(step);
    cancelled = step == 20;
  };
  try {
    Train();
    FAIL() << "training went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(steps.back(), 20);
}

TEST_F(TrainerTest, RefusesDataThatDoesNotFit) {
  data.labels[3] = kTask.classes;
  EXPECT_THROW(Train(), Error);
  data = {};
  EXPECT_THROW(Train(), Error);
}

TEST(Torch, HasTheVersionBuiltFor) { EXPECT_EQ(TorchVersion(), "2.13.0"); }

}  // namespace
}  // namespace hone
