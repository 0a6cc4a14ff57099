#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "space/network/transformer.h"
#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "train/compress/matrix_quantization.h"
#include "train/compress/qat_weights.h"
#include "train/compress/quantize.h"
#include "train/compress/straight_through.h"
#include "train/forward.h"
#include "train/trainer.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr TaskShape kTask = ClassifierShape(40, 5, 8);

at::Tensor Number(double value) {
  return at::zeros({}, at::TensorOptions().dtype(at::kDouble)).add(value);
}

// LSQ's formulas (Esser et al. 2020, eqs. 2 and 3), element by element.
TEST(RoundThrough, HasTheGradientsOfLsq) {
  const at::Tensor x = RandomTensor({200}, 1, at::kDouble).mul(3);
  x.requires_grad_();
  at::Tensor scale = Number(0.4);
  scale.requires_grad_();
  const LevelRange range{Number(-4), Number(3)};
  const at::Tensor weights = RandomTensor({200}, 2, at::kDouble);
  RoundThrough(x, scale, range).mul(weights).sum().backward();
  double scale_gradient = 0;
  for (std::int64_t i = 0; i < 200; ++i) {
    const double v = x[i].item<double>() / 0.4;
    const double weight = weights[i].item<double>();
    const bool inside = v >= -4 && v <= 3;
    EXPECT_NEAR(x.grad()[i].item<double>(), inside ? weight : 0, 1e-12);
    const double level = v <= -4 ? -4 : v >= 3 ? 3 : std::nearbyint(v);
    scale_gradient += weight * (inside ? level - v : level);
  }
  EXPECT_NEAR(scale.grad().item<double>(), scale_gradient, 1e-9);
}

TEST(RoundThrough, RoundsToTheLevelsOfATable) {
  const at::Tensor x =
      at::tensor({-9., -2.1, -1.9, 0.4, 0.6, 5.}).to(at::kDouble);
  const LevelRange range{Number(-3), Number(1),
                         at::tensor({-3., -1., 0., 1.}).to(at::kDouble)};
  const at::Tensor rounded = RoundThrough(x, Number(1), range);
  const std::vector<double> expected{-3, -3, -1, 0, 1, 1};
  for (std::int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(rounded[i].item<double>(), expected[static_cast<std::size_t>(i)]);
  }
}

struct Qat : testing::Test {
  TaskData data = TinyData(200, 5, 1);

  TrainingJob Job(const Architecture& architecture) {
    TrainingJob job;
    job.architecture = architecture;
    job.task = kTask;
    job.data = &data;
    job.seed = 7;
    job.initial = InitialWeights(architecture, kTask, 3);
    job.quantized = QuantizeNetwork(architecture, kTask, job.initial, data, {});
    return job;
  }
};

// Before a step, training sees what rounding after training made.
TEST_F(Qat, BeginsWithTheWeightsThatWereRounded) {
  const at::NoGradGuard no_grad;
  for (const Precision& precision : EveryPrecision()) {
    if (precision.IsFloat()) continue;
    const Architecture architecture = TinyArchitecture(32, precision);
    const TrainingJob job = Job(architecture);
    TrainableWeights inner(
        {7, at::TensorOptions().dtype(at::kFloat), {}, job.initial});
    const LinearUses linears =
        CalibrationRun(architecture, kTask, job.initial, data).FindLinears();
    QatWeights qat(inner, linears, TablesOf(job.architecture, job.task),
                   job.quantized);
    StoredWeights stored(job.quantized, at::kCPU);
    const NamedTensors again = qat.Quantized(job.initial);
    for (const auto& [name, use] : linears) {
      if (use.spec.precision.IsFloat()) continue;
      const at::Tensor training = qat.GetLinear(name, use.spec).weight;
      const at::Tensor rounded = stored.GetLinear(name, use.spec).weight;
      // Least-squares scales move few weights over an edge.
      const double moved = training.sub(rounded)
                               .abs()
                               .gt(1e-5)
                               .to(at::kDouble)
                               .mean()
                               .item<double>();
      EXPECT_LT(moved, 0.1) << Name(precision) << " " << name;
      EXPECT_EQ(again.at(name + ".weight").dtype,
                job.quantized.at(name + ".weight").dtype);
      EXPECT_EQ(again.at(name + ".weight_scale").shape,
                job.quantized.at(name + ".weight_scale").shape);
    }
  }
}

// What is stored computes what was trained: the loss of the stored network is
// that of the last step's.
TEST_F(Qat, StoresWhatItTrained) {
  std::vector<std::pair<std::string, Architecture>> cases;
  for (const char* word : {"w8a8", "w4a8", "w2", "w4-asymmetric", "w3a8",
                           "w4-log2", "w4-kmeans"}) {
    cases.emplace_back(word, TinyArchitecture(32, ParsePrecision(word)));
  }
  // Layers of several precisions that read one tensor, and rounded products.
  for (const NetworkCase& one : MixedCases(40)) {
    if (one.task.topology != Topology::kEncoder) continue;
    cases.emplace_back(one.name, one.architecture);
    for (BlockSpec& block : cases.back().second.encoder) {
      block.products = AttentionProducts::kA8;
    }
  }
  for (const auto& [word, architecture] : cases) {
    const TrainingJob job = Job(architecture);
    TrainableWeights inner(
        {7, at::TensorOptions().dtype(at::kFloat), {}, job.initial});
    const LinearUses linears =
        CalibrationRun(architecture, kTask, job.initial, data).FindLinears();
    QatWeights qat(inner, linears, TablesOf(job.architecture, job.task),
                   job.quantized);
    {
      // Scales that have moved.
      const at::NoGradGuard no_grad;
      for (const at::Tensor& leaf : qat.Leaves()) leaf.add_(0.1);
    }
    const at::NoGradGuard no_grad;
    EagerOps training(qat);
    const NamedTensors quantized = qat.Quantized(job.initial);
    StoredWeights source(quantized, at::kCPU);
    EagerOps stored(source);
    const Batch rows = OrderedBatches(data, 32).front();
    const NetworkBatch batch = MakeNetworkBatch(data, kTask, rows, at::kCPU);
    const at::Tensor a =
        Transformer(training, architecture, kTask, batch.input, batch.target);
    const at::Tensor b =
        Transformer(stored, architecture, kTask, batch.input, batch.target);
    const double error =
        a.sub(b).norm().item<double>() / b.sub(b.mean()).norm().item<double>();
    // A value on the edge of two levels may fall to either side.
    EXPECT_LT(error, 0.02) << word;
  }
}

// Of a table too, whose rows are looked up one by one in a classifier and used
// whole by a decoder with a tied output.
TEST_F(Qat, StoresTheTablesItTrained) {
  const at::NoGradGuard no_grad;
  for (const char* word : {"w8", "w4:row", "w2:row"}) {
    Architecture architecture = TinyArchitecture(32, Precision::kF32);
    architecture.stem.embedding = ParsePrecision(word);
    const TrainingJob job = Job(architecture);
    TrainableWeights inner(
        {7, at::TensorOptions().dtype(at::kFloat), {}, job.initial});
    const TableUses tables = TablesOf(architecture, kTask);
    QatWeights qat(inner, {}, tables, job.quantized);
    ASSERT_EQ(qat.Leaves().size(), 1u);
    EXPECT_EQ(qat.Leaves()[0].sizes(), at::IntArrayRef({40, 1}));
    for (const at::Tensor& leaf : qat.Leaves()) leaf.add_(0.1);
    const NamedTensors quantized = qat.Quantized(job.initial);
    StoredWeights stored(quantized, at::kCPU);
    const TableSpec spec = tables.at("embedding");
    const at::Tensor expected = stored.GetTable("embedding", spec);
    const at::Tensor tokens = at::tensor({3, 0, 39, 3}).view({2, 2});
    EXPECT_LT(qat.Lookup("embedding", tokens, spec)
                  .sub(stored.Lookup("embedding", tokens, spec))
                  .abs()
                  .max()
                  .item<double>(),
              1e-6)
        << word;
    EXPECT_LT(qat.GetTable("embedding", spec)
                  .sub(expected)
                  .abs()
                  .max()
                  .item<double>(),
              1e-6)
        << word;
  }
}

// Rounding with a fixed scale passes gradients within the range and none
// outside.
TEST(RoundThrough, WithAFixedScale) {
  const at::Tensor x =
      at::tensor({-2.0F, -0.26F, 0.24F, 0.26F, 0.9F, 3.0F}).requires_grad_();
  const at::Tensor y = RoundThrough(x, 0.5F, -2, 3);
  y.sum().backward();
  const float values[] = {-1, -0.5F, 0, 0.5F, 1, 1.5F};
  const float gradients[] = {0, 1, 1, 1, 1, 0};
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    EXPECT_EQ(y[i].item<float>(), values[i]) << i;
    EXPECT_EQ(x.grad()[i].item<float>(), gradients[i]) << i;
  }
}

// Two bits cost much, and training with them in sight, guided by the network
// before, brings the logits back.
TEST_F(Qat, RegainsWhatRoundingLost) {
  Architecture rounded = TinyArchitecture(32, ParsePrecision("w2"));
  rounded.stem.embedding = ParsePrecision("w2:row");
  const Architecture exact = WithoutPrecision(rounded);
  TrainingJob job = Job(rounded);
  TrainingJob plain = job;
  plain.architecture = exact;
  plain.quantized = {};
  TrainingOptions options;
  options.steps = 60;
  options.learning_rate = 3e-3;
  options.warmup_steps = 10;
  options.dropout = 0;
  job.initial = std::get<TrainingResult>(TrainNetwork(plain, options)).weights;
  job.quantized = QuantizeNetwork(rounded, kTask, job.initial, data, {});
  Teacher guide{exact, kTask, job.initial};
  guide.logits_NC = ComputeLogits(exact, kTask, job.initial, data, 64);
  job.teacher = &guide;
  job.distillation.hard_weight = 0;
  job.distillation.logits_weight = 1;
  options.steps = 150;
  options.learning_rate = 1e-3;
  const NamedTensors trained =
      std::get<TrainingResult>(TrainNetwork(job, options)).weights;
  const std::vector<float> wanted =
      ComputeFlatLogits(exact, kTask, job.initial, data, 64);
  const auto sqnr = [&](const NamedTensors& weights) {
    return Sqnr(wanted, ComputeFlatLogits(rounded, kTask, weights, data, 64));
  };
  EXPECT_GT(sqnr(trained), sqnr(job.quantized) + 3);
  EXPECT_EQ(trained,
            std::get<TrainingResult>(TrainNetwork(job, options)).weights);
}

}  // namespace
}  // namespace hone
