#include "train/distill/linear_head.h"

#include <cmath>
#include <numeric>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "space/base/error.h"
#include "train/optimizer.h"
#include "train/torch_boundary.h"
#include "train/weight_source.h"

namespace hone {
namespace {

constexpr char kWeight[] = "classifier.weight";
constexpr char kBias[] = "classifier.bias";
constexpr std::int64_t kStepsBetweenReports = 10;

// Shuffled row numbers, epoch after epoch.
class RowStream {
 public:
  RowStream(std::size_t rows, std::uint64_t seed) : seed_(seed), rows_(rows) {
    std::iota(rows_.begin(), rows_.end(), 0);
  }

  std::vector<std::int64_t> Next(std::int64_t count) {
    std::vector<std::int64_t> taken;
    while (static_cast<std::int64_t>(taken.size()) < count) {
      if (next_ % rows_.size() == 0) {
        Rng rng(seed_, epoch_++, "head batches");
        rng.Shuffle(rows_);
        next_ = 0;
      }
      taken.push_back(rows_[next_++]);
    }
    return taken;
  }

 private:
  std::uint64_t seed_;
  std::int64_t epoch_ = 0;
  std::vector<std::int64_t> rows_;
  std::size_t next_ = 0;
};

class HeadTraining {
 public:
  HeadTraining(const at::Tensor& features_ND, const at::Tensor& labels_N,
               std::int64_t classes, const TrainingOptions& options,
               std::uint64_t seed)
      : features_ND_(features_ND),
        labels_N_(labels_N),
        options_(options),
        weight_CD_(
            at::zeros({classes, features_ND.size(1)}).set_requires_grad(true)),
        bias_C_(at::zeros({classes}).set_requires_grad(true)),
        optimizer_(
            {weight_CD_}, {bias_C_},
            {.beta2 = options.beta2, .weight_decay = options.weight_decay}),
        schedule_{options.learning_rate, options.warmup_steps, options.steps},
        rows_(static_cast<std::size_t>(features_ND.size(0)), seed),
        generator_(
            MakeGenerator(at::kCPU, StreamSeed(seed, 0, "head dropout"))) {}

  void Step(std::int64_t step) {
    const at::Tensor rows_B = at::tensor(rows_.Next(options_.batch_size));
    const at::Tensor loss = at::cross_entropy_loss(
        at::linear(WithDropout(features_ND_.index_select(0, rows_B)),
                   weight_CD_, bias_C_),
        labels_N_.index_select(0, rows_B), {}, at::Reduction::Mean, -100,
        options_.label_smoothing);
    loss.backward();
    const double norm = GradientNorm(optimizer_.Gradients());
    if (!std::isfinite(loss.item<double>()) || !std::isfinite(norm)) {
      throw Error(ErrorCode::kUsage,
                  "the teacher's classifier diverged at step " +
                      std::to_string(step + 1) + " of " +
                      std::to_string(options_.steps) +
                      "; lower teacher.training.learning_rate");
    }
    const bool clip = options_.clip_norm > 0 && norm > options_.clip_norm;
    optimizer_.Step(schedule_.At(step), clip ? norm / options_.clip_norm : 1);
  }

  at::Tensor weight() const { return weight_CD_.detach(); }
  at::Tensor bias() const { return bias_C_.detach(); }

 private:
  at::Tensor WithDropout(const at::Tensor& x_BD) {
    if (options_.dropout <= 0) return x_BD;
    const double kept = 1 - options_.dropout;
    return x_BD.mul(at::empty_like(x_BD).bernoulli_(kept, generator_))
        .div_(kept);
  }

  at::Tensor features_ND_;
  at::Tensor labels_N_;
  const TrainingOptions& options_;
  at::Tensor weight_CD_;
  at::Tensor bias_C_;
  AdamW optimizer_;
  LearningRateSchedule schedule_;
  RowStream rows_;
  at::Generator generator_;
};

}  // namespace

NamedTensors TrainLinearHead(
    const TensorData& features_ND, const std::vector<std::int64_t>& labels_N,
    std::int64_t classes, const TrainingOptions& options, std::uint64_t seed,
    const std::function<void(std::int64_t step, std::int64_t steps)>& on_step) {
  HONE_CHECK_LT(0u, labels_N.size());
  HONE_CHECK_EQ(features_ND.shape.at(0),
                static_cast<std::int64_t>(labels_N.size()));
  return AtTorchBoundary("training the teacher's classifier", [&] {
    const at::Tensor raw_ND = ToTensor(features_ND, at::kCPU);
    const at::Tensor mean_D = raw_ND.mean(0);
    at::Tensor deviation_D = raw_ND.sub(mean_D).square().mean(0).sqrt();
    deviation_D = at::where(deviation_D.gt(1e-8), deviation_D,
                            at::ones_like(deviation_D));
    HeadTraining training(raw_ND.sub(mean_D).div_(deviation_D),
                          at::tensor(labels_N), classes, options, seed);
    for (std::int64_t step = 0; step < options.steps; ++step) {
      training.Step(step);
      if ((step + 1) % kStepsBetweenReports == 0) {
        on_step(step + 1, options.steps);
      }
    }
    const at::Tensor weight_CD = training.weight().div(deviation_D);
    const at::Tensor bias_C =
        training.bias().sub(at::matmul(weight_CD, mean_D));
    return NamedTensors{{kWeight, ToTensorData(weight_CD)},
                        {kBias, ToTensorData(bias_C)}};
  });
}

TensorData ApplyLinearHead(const TensorData& features_ND,
                           const NamedTensors& head) {
  const at::NoGradGuard no_grad;
  return ToTensorData(at::linear(ToTensor(features_ND, at::kCPU),
                                 ToTensor(head.at(kWeight), at::kCPU),
                                 ToTensor(head.at(kBias), at::kCPU)));
}

}  // namespace hone
