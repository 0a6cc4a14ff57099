#include "train/distill/distillation.h"

#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "space/network/transformer.h"
#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "tests/train/random_data.h"
#include "train/distill/distiller.h"
#include "train/eager_ops.h"
#include "train/forward.h"
#include "train/trainer.h"
#include "train/weights.h"

namespace hone {
namespace {

// A student of every kind of network and a teacher that is wider, deeper and
// has other heads.
struct Pair {
  NetworkCase student;
  Teacher teacher;
  TaskData data;
};

Pair MakePair(const NetworkCase& one, std::uint64_t seed) {
  Pair pair{one, {}, RandomExamples(one.task, 12, seed)};
  Architecture& wide = pair.teacher.architecture;
  wide = one.architecture;
  wide.stem.d_model *= 3;
  for (auto* blocks : {&wide.encoder, &wide.decoder}) {
    for (BlockSpec& block : *blocks) block.attention = MultiHead(6);
    if (!blocks->empty()) blocks->push_back(blocks->back());
  }
  pair.teacher.task = one.task;
  pair.teacher.weights = InitialWeights(wide, one.task, seed);
  return pair;
}

TrainingJob JobOf(const Pair& pair) {
  TrainingJob job;
  job.architecture = pair.student.architecture;
  job.task = pair.student.task;
  job.data = &pair.data;
  job.seed = 5;
  job.teacher = &pair.teacher;
  return job;
}

TrainingOptions Steps(std::int64_t steps) {
  TrainingOptions options;
  options.steps = steps;
  options.batch_size = 4;
  options.warmup_steps = 2;
  options.dropout = 0;
  options.learning_rate = 3e-3;
  return options;
}

double FinalLoss(const TrainingJob& job, const TrainingOptions& options) {
  return std::get<TrainingResult>(TrainNetwork(job, options)).final_loss;
}

TEST(Taps, HaveTheirShapesInEveryNetworkAndChangeNothing) {
  const at::NoGradGuard no_grad;
  for (const NetworkCase& one : NetworkCases(16, Precision::kF32)) {
    SCOPED_TRACE(one.name);
    const TaskData data = RandomExamples(one.task, 4, 1);
    const NetworkBatch batch = MakeNetworkBatch(
        data, one.task, OrderedBatches(data, 4).back(), at::kCPU);
    StoredWeights weights(InitialWeights(one.architecture, one.task, 2),
                          at::kCPU);
    const DistillationOptions all{
        .hidden_weight = 1, .hidden_layers = "uniform", .relation_weight = 1};
    const auto taps = StudentTaps(one.architecture, one.architecture, all);
    EagerOps listening(weights, {.taps = taps});
    EagerOps deaf(weights);
    const auto run = [&](EagerOps& ops) {
      return Transformer(ops, one.architecture, one.task, batch.input,
                         batch.target);
    };
    EXPECT_TRUE(run(listening).equal(run(deaf)));
    for (const std::string& tap : taps) {
      const at::Tensor value = listening.TakeTap(tap);
      ASSERT_EQ(value.dim(), 3) << tap;
      const bool source =
          tap.starts_with("encoder.") || !batch.target.defined();
      EXPECT_EQ(value.size(1), (source ? batch.input : batch.target).size(1))
          << tap;
      const bool pruned = one.name.ends_with(" factored");
      EXPECT_EQ((pruned ? 96 : 16) % value.size(2), 0) << tap;
    }
  }
}

// What is tapped are the projections themselves, also where places turn them.
TEST(Taps, QueriesAreProjectedInputs) {
  const at::NoGradGuard no_grad;
  const Architecture architecture{{8, Positions::kRotary},
                                  {{MultiHead(2), {16}}}};
  const TaskShape task = ClassifierShape(20, 3, 8);
  const NamedTensors tensors = InitialWeights(architecture, task, 1);
  StoredWeights weights(tensors, at::kCPU);
  EagerOps ops(weights, {.taps = {"encoder.0.attention.query"}});
  const at::Tensor tokens =
      at::tensor(std::vector<std::int64_t>{3, 1, 4}).unsqueeze(0);
  Classifier(ops, architecture, task, tokens);
  const at::Tensor x = ops.Embedding("embedding", tokens, {20, 8});
  const at::Tensor expected =
      ops.Linear("encoder.0.attention.query",
                 ops.LayerNorm("encoder.0.attention_norm", x, 8), {8, 8});
  EXPECT_TRUE(ops.TakeTap("encoder.0.attention.query").equal(expected));
}

// All terms at once, over every attention kind, topology and stem.
TEST(Distiller, TeachesEveryKindOfNetwork) {
  for (const NetworkCase& one : NetworkCases(16, Precision::kF32)) {
    SCOPED_TRACE(one.name);
    const Pair pair = MakePair(one, 3);
    TrainingJob job = JobOf(pair);
    job.distillation.hidden_weight = 1;
    job.distillation.hidden_layers = "uniform";
    job.distillation.relation_weight = 1;
    const auto outcome = TrainNetwork(job, Steps(2));
    ASSERT_TRUE(std::holds_alternative<TrainingResult>(outcome));
    EXPECT_NO_THROW(CheckWeights(std::get<TrainingResult>(outcome).weights,
                                 job.architecture, job.task, "result"));
  }
}

// One term alone is learned, by all three topologies.
TEST(Distiller, EveryInnerTermAloneIsLearned) {
  const StemSpec stem{16};
  for (const NetworkCase& one :
       {EncoderCase("performer:12", stem, Precision::kF32),
        DecoderCase("full:2", stem, Precision::kF32),
        TranslationCase(stem, Precision::kF32)}) {
    SCOPED_TRACE(one.name);
    const Pair pair = MakePair(one, 3);
    TrainingJob job = JobOf(pair);
    for (const DistillationOptions& options :
         {DistillationOptions{.hard_weight = 0,
         .logits_weight = 0,
         .hidden_weight = 1,
         .hidden_layers = "uniform"},
          DistillationOptions{
              .hard_weight = 0, .logits_weight = 0, .relation_weight = 1}}) {
      job.distillation = options;
      EXPECT_LT(FinalLoss(job, Steps(300)), 0.7 * FinalLoss(job, Steps(10)));
    }
  }
}

TEST(Distiller, EveryDivergenceBringsTheStudentToItsTeacher) {
  const Pair pair = MakePair(EncoderCase("full", {16}, Precision::kF32), 3);
  for (const char* name : {"forward-kl", "reverse-kl", "alpha"}) {
    TrainingJob job = JobOf(pair);
    job.distillation = {
        .hard_weight = 0, .logits_weight = 1, .divergence = name};
    EXPECT_LT(FinalLoss(job, Steps(200)), 0.3 * FinalLoss(job, Steps(5)))
        << name;
  }
}

TEST(Distiller, RefusesALayerThatTheTeacherLacks) {
  const Pair pair = MakePair(EncoderCase("full", {16}, Precision::kF32), 3);
  TrainingJob job = JobOf(pair);
  job.distillation.relation_weight = 1;
  job.distillation.relation_layer = 4;
  EXPECT_THROW(TrainNetwork(job, Steps(1)), Error);
}

// An ensemble of one network twice is that network; of two, the mean.
TEST(Ensemble, AnswersWithTheMeanOfProbabilities) {
  for (const NetworkCase& one : {EncoderCase("full", {16}, Precision::kF32),
                                 DecoderCase("full", {16}, Precision::kF32)}) {
    Pair pair = MakePair(one, 3);
    const NetworkBatch batch = MakeNetworkBatch(
        pair.data, one.task, OrderedBatches(pair.data, 4).back(), at::kCPU);
    const auto answer = [&](const NamedTensors& first,
                            std::vector<NamedTensors> others) {
      Teacher teacher = pair.teacher;
      teacher.weights = first;
      teacher.other_members = std::move(others);
      return TeacherNetwork(teacher, {}, at::kCPU).Logits(batch).softmax(-1);
    };
    const NamedTensors& a = pair.teacher.weights;
    const NamedTensors b =
        InitialWeights(pair.teacher.architecture, one.task, 99);
    EXPECT_TRUE(at::allclose(answer(a, {a}), answer(a, {}), 1e-5, 1e-6));
    EXPECT_FALSE(at::allclose(answer(a, {}), answer(b, {}), 1e-5, 1e-6));
    EXPECT_TRUE(at::allclose(
        answer(a, {b}), answer(a, {}).add(answer(b, {})).div(2), 1e-5, 1e-6));
  }
}

TEST(Ensemble, StoredLogitsOfAClassificationAreItsAnswers) {
  Pair pair = MakePair(EncoderCase("full", {16}, Precision::kF32), 3);
  pair.teacher.other_members = {
      InitialWeights(pair.teacher.architecture, pair.student.task, 99)};
  TrainingJob job = JobOf(pair);
  const double computed = FinalLoss(job, Steps(5));
  pair.teacher.logits_NC = TeacherLogits(pair.teacher, pair.data, 5);
  EXPECT_NEAR(FinalLoss(job, Steps(5)), computed, 1e-5);
}

struct TopTargetsTest : testing::Test {
  Pair pair = MakePair(TranslationCase({16}, Precision::kF32), 3);
  std::int64_t vocabulary = pair.student.task.vocabulary;
};

// Against one example at a time, sorted by a plain program.
TEST_F(TopTargetsTest, AreTheLikeliestTokensOfEachPlace) {
  const at::NoGradGuard no_grad;
  const TopTargets top = TeacherTopTargets(pair.teacher, pair.data, 5, 3, 1.5);
  StoredWeights weights(pair.teacher.weights, at::kCPU);
  EagerOps ops(weights);
  std::int64_t place = 0;
  for (std::size_t row = 0; row < pair.data.size(); ++row) {
    std::vector<std::int64_t> read = {BeginToken(pair.student.task)};
    read.insert(read.end(), pair.data.targets[row].begin(),
                pair.data.targets[row].end());
    const at::Tensor shares =
        Transformer(ops, pair.teacher.architecture, pair.student.task,
                    at::tensor(pair.data.tokens[row]).unsqueeze(0),
                    at::tensor(read).unsqueeze(0))[0]
            .div(1.5)
            .softmax(1)
            .to(at::kDouble);
    for (std::size_t t = 0; t < read.size(); ++t, ++place) {
      std::vector<std::pair<double, std::int64_t>> sorted;
      for (std::int64_t v = 0; v < vocabulary; ++v) {
        sorted.emplace_back(
            -shares[static_cast<std::int64_t>(t)][v].item<double>(), v);
      }
      std::sort(sorted.begin(), sorted.end());
      double rest = 1;
      for (std::int64_t k = 0; k < 3; ++k) {
        const auto& [share, token] = sorted[static_cast<std::size_t>(k)];
        rest += share;
        EXPECT_EQ(top.tokens_PK.data<std::int32_t>()[place * 3 + k], token);
        EXPECT_NEAR(
            std::exp(top.log_probabilities.data<float>()[place * 4 + k]),
            -share, 1e-5);
      }
      EXPECT_NEAR(std::exp(top.log_probabilities.data<float>()[place * 4 + 3]),
                  rest, 1e-5);
    }
  }
  EXPECT_EQ(top.tokens_PK.shape, (std::vector<std::int64_t>{place, 3}));
}

// With all tokens but one nothing is lost, so the training is the same.
TEST_F(TopTargetsTest, OfAllTokensTeachAsTheTeacherItself) {
  TrainingJob job = JobOf(pair);
  job.distillation = {.hard_weight = 0, .logits_weight = 1};
  const double computed = FinalLoss(job, Steps(6));
  pair.teacher.top = TeacherTopTargets(pair.teacher, pair.data, 5, 1000,
                                       job.distillation.temperature);
  EXPECT_EQ(pair.teacher.top.tokens_PK.shape.at(1), vocabulary - 1);
  EXPECT_NEAR(FinalLoss(job, Steps(6)), computed, 1e-4 * computed);
  pair.teacher.top = TeacherTopTargets(pair.teacher, pair.data, 5, 4,
                                       job.distillation.temperature);
  EXPECT_LT(FinalLoss(job, Steps(6)), computed);
}

TEST_F(TopTargetsTest, AreRefusedForOtherDataOrTemperature) {
  TrainingJob job = JobOf(pair);
  pair.teacher.top = TeacherTopTargets(pair.teacher, pair.data, 5, 4, 1);
  EXPECT_THROW(TrainNetwork(job, Steps(1)), Error);
  job.distillation.temperature = 1;
  EXPECT_NO_THROW(TrainNetwork(job, Steps(1)));
  pair.data.targets[0].push_back(1);
  EXPECT_THROW(TrainNetwork(job, Steps(1)), Error);
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
