#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <deque>
#include <memory>
#include <numeric>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <torch/headeronly/version.h>

#include "space/network/transformer.h"
#include "train/compress/bf16_weights.h"
#include "train/compress/calibration_run.h"
#include "train/compress/qat_weights.h"
#include "train/distill/distiller.h"
#include "train/eager_ops.h"
#include "train/forward.h"
#include "train/optimizer.h"
#include "train/torch_boundary.h"
#include "train/training_batches.h"
#include "train/weight_source.h"

namespace hone {
namespace {

constexpr std::size_t kFinalSteps = 50;
constexpr std::int64_t kStepsBetweenReports = 10;

void CheckTokens(const std::vector<std::vector<std::int64_t>>& rows,
                 std::int64_t most) {
  for (const auto& tokens : rows) {
    HONE_CHECK_LE(tokens.size(), static_cast<std::size_t>(most));
  }
}

void CheckJob(const TrainingJob& job) {
  HONE_CHECK(job.data != nullptr);
  HONE_CHECK(job.task.topology == TopologyOf(job.architecture));
  const TaskData& data = *job.data;
  if (data.size() == 0) {
    throw Error(ErrorCode::kUsage, "the training split has no examples");
  }
  CheckTokens(data.tokens, job.task.max_tokens);
  HONE_CHECK_LE(data.window, job.task.max_tokens);
  if (job.task.topology == Topology::kEncoder) {
    HONE_CHECK_EQ(data.labels.size(), data.size());
    for (const std::int64_t label : data.labels) {
      HONE_CHECK_LT(label, job.task.classes);
    }
  }
  if (job.task.topology == Topology::kEncoderDecoder) {
    HONE_CHECK_EQ(data.targets.size(), data.size());
    CheckTokens(data.targets, job.task.max_target_tokens - 1);
  }
}

std::vector<at::Tensor> Joined(std::vector<at::Tensor> a,
                               const std::vector<at::Tensor>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

EagerOptions StudentOptions(const TrainingJob& job,
                            const TrainingOptions& options, at::Device device) {
  EagerOptions eager;
  eager.dropout = options.dropout;
  eager.generator = MakeGenerator(device, StreamSeed(job.seed, 0, "dropout"));
  if (job.teacher != nullptr) {
    eager.taps = StudentTaps(job.architecture, job.teacher->architecture,
                             job.distillation);
  }
  return eager;
}

class Training {
 public:
  Training(const TrainingJob& job, const TrainingOptions& options)
      : job_(job),
        options_(options),
        device_(options.device),
        adam_{.beta2 = options.beta2, .weight_decay = options.weight_decay},
        schedule_{options.learning_rate, options.warmup_steps, options.steps},
        weights_({job.seed, at::TensorOptions(device_).dtype(at::kFloat), adam_,
                  job.initial}),
        qat_(MakeQat()),
        ops_(Source(), StudentOptions(job, options, device_)),
        batches_(*job.data, job.task, options, job.seed, device_) {
    Discover(Source(), job.architecture, job.task);
    weights_.CheckInitialUsed();
    std::vector<at::Tensor> decayed = weights_.Leaves(true);
    if (job.teacher != nullptr) {
      distiller_.emplace(
          *job.teacher, job.distillation, job.architecture, *job.data,
          TrainableWeightsOptions{job.seed,
                                  at::TensorOptions(device_).dtype(at::kFloat),
                                  adam_,
                                  {}},
          device_);
      decayed = Joined(std::move(decayed), distiller_->Leaves());
    }
    optimizer_.emplace(std::move(decayed), weights_.Leaves(false), adam_);
    scale_optimizer_.emplace(std::vector<at::Tensor>{},
                             qat_ ? qat_->Leaves() : std::vector<at::Tensor>{},
                             adam_);
  }

  std::variant<TrainingResult, Failure> Run() {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    for (std::int64_t step = 0; step < options_.steps; ++step) {
      if (job_.cancelled != nullptr && job_.cancelled->load()) {
        throw Error(ErrorCode::kCancelled, "training was interrupted");
      }
      RedrawFeatures(step);
      if (auto failure = Step(step)) return *failure;
      if (job_.on_step && (step + 1) % kStepsBetweenReports == 0) {
        job_.on_step(step + 1, options_.steps);
      }
    }
    const std::chrono::duration<double> seconds = Clock::now() - start;
    TrainingResult result;
    result.weights = weights_.Snapshot();
    if (auto failure = NonFiniteWeight(result.weights)) return *failure;
    if (qat_) {
      result.weights = InCompute(job_.architecture,
                                 qat_->Quantized(std::move(result.weights)));
    }
    result.final_loss = std::accumulate(losses_.begin(), losses_.end(), 0.0) /
                        static_cast<double>(losses_.size());
    result.tokens_per_second = static_cast<double>(tokens_) / seconds.count();
    return result;
  }

 private:
  std::unique_ptr<QatWeights> MakeQat() {
    if (job_.quantized.empty()) return nullptr;
    const LinearUses linears =
        CalibrationRun(job_.architecture, job_.task, job_.initial, *job_.data)
            .FindLinears();
    return std::make_unique<QatWeights>(weights_, linears,
                                        TablesOf(job_.architecture, job_.task),
                                        job_.quantized);
  }

  WeightSource& Source() {
    if (qat_) return *qat_;
    return weights_;
  }

  std::optional<Failure> Step(std::int64_t step) {
    const Batch& rows = batches_.Next();
    const NetworkBatch batch = batches_.Make(rows);
    const at::Tensor loss = Loss(rows, batch);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) return Diverged("loss", step);
    losses_.push_back(value);
    if (losses_.size() > kFinalSteps) losses_.pop_front();
    loss.backward();
    const double norm = GradientNorm(Gradients());
    if (!std::isfinite(norm)) return Diverged("gradient", step);
    const bool clip = options_.clip_norm > 0 && norm > options_.clip_norm;
    const double divisor = clip ? norm / options_.clip_norm : 1;
    Update(schedule_.At(step), divisor);
    const bool frozen = step * 5 >= options_.steps * 4;
    scale_optimizer_->Step(frozen ? 0 : schedule_.At(step), divisor);
    tokens_ += batch.tokens;
    return std::nullopt;
  }

  // New random features now and then, so that no draw is learned by heart; the
  // last ones are those that are exported, and stay for a while.
  void RedrawFeatures(std::int64_t step) {
    const std::int64_t every = options_.redraw_steps;
    if (every == 0 || step == 0 || step % every != 0) return;
    if (step * 5 >= options_.steps * 4) return;
    weights_.RedrawFeatures(step / every);
  }

  at::Tensor Loss(const Batch& rows, const NetworkBatch& batch) {
    const at::Tensor logits =
        Transformer(ops_, job_.architecture, job_.task,
                    batches_.Perturbed(rows, batch.input), batch.target);
    const at::Tensor hard =
        LabelLoss(logits, batch.labels, options_.label_smoothing);
    return distiller_ ? distiller_->Loss(hard, logits, rows, batch, ops_)
                      : hard;
  }

  std::vector<at::Tensor> Gradients() {
    std::vector<at::Tensor> gradients =
        Joined(optimizer_->Gradients(), scale_optimizer_->Gradients());
    for (const auto& [name, table] : weights_.tables()) {
      gradients.push_back(table.Gradient());
    }
    return gradients;
  }

  void Update(double learning_rate, double divisor) {
    optimizer_->Step(learning_rate, divisor);
    for (auto& [name, table] : weights_.tables()) {
      table.Step(learning_rate * options_.embedding_learning_rate_scale,
                 divisor);
    }
  }

  Failure Diverged(const std::string& what, std::int64_t step) const {
    return {"diverged", "the " + what + " was not finite at step " +
                            std::to_string(step + 1) + " of " +
                            std::to_string(options_.steps) +
                            "; a lower learning rate would help"};
  }

  // The last step is followed by no loss that would show its damage.
  std::optional<Failure> NonFiniteWeight(const NamedTensors& weights) const {
    for (const auto& [name, tensor] : weights) {
      const auto* values = tensor.data<float>();
      for (std::int64_t i = 0; i < tensor.elements(); ++i) {
        if (!std::isfinite(values[i])) {
          return Diverged("weight " + name, options_.steps - 1);
        }
      }
    }
    return std::nullopt;
  }

  const TrainingJob& job_;
  const TrainingOptions& options_;
  at::Device device_;
  AdamWOptions adam_;
  LearningRateSchedule schedule_;
  TrainableWeights weights_;
  std::unique_ptr<QatWeights> qat_;
  EagerOps ops_;
  TrainingBatches batches_;
  std::optional<Distiller> distiller_;
  std::optional<AdamW> optimizer_;
  std::optional<AdamW> scale_optimizer_;
  std::deque<double> losses_;
  std::int64_t tokens_ = 0;
};

}  // namespace

std::variant<TrainingResult, Failure> TrainNetwork(
    const TrainingJob& job, const TrainingOptions& options) {
  CheckJob(job);
  return AtTorchBoundary("training " + ShortText(job.architecture),
                         [&] { return Training(job, options).Run(); });
}

void InitializeTorch() { at::set_num_threads(1); }

std::string TorchVersion() { return TORCH_VERSION; }

}  // namespace hone
