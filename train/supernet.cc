#include "train/supernet.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <c10/util/Exception.h>
#include <tbb/parallel_for.h>

#include "space/base/error.h"
#include "space/network/transformer.h"
#include "train/compress/calibration_run.h"
#include "train/compress/qat_weights.h"
#include "train/compress/quantize.h"
#include "train/distill/distiller.h"
#include "train/eager_ops.h"
#include "train/forward.h"
#include "train/optimizer.h"
#include "train/shared_weights.h"
#include "train/torch_boundary.h"
#include "train/training_batches.h"

namespace hone {
namespace {

// Autograd says once that slices of a gradient are not laid out like the
// gradients that it makes itself, and adds to them all the same.
class NoWarnings : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

constexpr std::int64_t kStepsBetweenReports = 10;
constexpr std::size_t kCalibrationExamples = 64;

SearchSpace WithoutConstraints(const SearchSpace& space) {
  SearchSpaceOptions options = space.options();
  options.constraints.clear();
  return SearchSpace(options, space.task());
}

// The stored answers of a teacher alone: its hidden states are compared where
// one student is trained.
DistillationOptions LogitsAlone(DistillationOptions options) {
  options.hidden_weight = 0;
  options.relation_weight = 0;
  return options;
}

// A member that is trained for some steps, rounded or not.
struct Trainee {
  Architecture architecture;
  std::optional<LinearUses> linears = std::nullopt;  // of a rounded one
  NamedTensors quantized = {};
};

// A part of a batch.
struct Part {
  Batch rows;
  NetworkBatch batch;
  at::Tensor input;  // as students read it
  double share = 1;  // of the batch's labels
};

// What one thread needs: the networks' interpreters, and the teacher's answers.
class Shard {
 public:
  Shard(SharedWeights& weights, std::size_t index, const SupernetJob& job,
        const SupernetOptions& options, const TrainingOptions& training,
        const DistillationOptions& distillation, const Architecture& largest)
      : job_(job),
        options_(options),
        training_(training),
        distillation_(distillation),
        largest_architecture_(largest),
        others_(weights.Source(index, SharedWeights::Member::kOther)),
        largest_(weights.Source(index, SharedWeights::Member::kLargest),
                 {.dropout = training.dropout,
                  .generator = MakeGenerator(
                      at::kCPU,
                      StreamSeed(job.seed, static_cast<std::int64_t>(index),
                                 "supernet dropout"))}),
        plain_(others_) {
    if (job.teacher != nullptr) {
      distiller_.emplace(*job.teacher, distillation_, largest, *job.data,
                         TrainableWeightsOptions{job.seed}, at::kCPU);
    }
  }

  // Gives the random members their rounded weights.
  void SetRounded(const std::vector<Trainee>& trainees) {
    rounded_.clear();
    for (const Trainee& trainee : trainees) {
      std::unique_ptr<Rounded> one;
      if (trainee.linears)
        one = std::make_unique<Rounded>(others_, trainee, job_.space->task());
      rounded_.push_back(std::move(one));
    }
  }

  // Forward and backward of all members on one part of a batch.
  // Returns the largest's loss.
  double Run(const std::vector<Trainee>& trainees, const Part& part) {
    std::optional<SoftTargets> answers;
    if (distiller_ && distillation_.logits_weight > 0) {
      answers = distiller_->Answers(part.rows, part.batch);
    }
    const at::Tensor logits = Forward(largest_, largest_architecture_, part);
    const at::Tensor loss = Loss(logits, answers, part);
    loss.mul(part.share).backward();
    const SoftTargets of_largest =
        SoftTargetsOf(LabelledRows(logits.detach(), part.batch.labels),
                      distillation_.temperature);
    for (std::size_t i = 0; i < trainees.size(); ++i) {
      EagerOps& ops = rounded_[i] ? rounded_[i]->ops : plain_;
      const at::Tensor own = Forward(ops, trainees[i].architecture, part);
      Loss(own, answers, part)
          .add(SoftTargetLoss(LabelledRows(own, part.batch.labels), of_largest,
                              options_.divergence, distillation_.temperature),
               options_.largest_weight)
          .mul(part.share)
          .backward();
    }
    return loss.item<double>() * part.share;
  }

 private:
  struct Rounded {
    Rounded(WeightSource& inner, const Trainee& trainee, const TaskShape& task)
        : weights(inner, *trainee.linears, TablesOf(trainee.architecture, task),
                  trainee.quantized),
          ops(weights) {
      // Scales are those of rounding the present weights, and not trained.
      for (at::Tensor& leaf : weights.Leaves()) leaf.set_requires_grad(false);
    }
    QatWeights weights;
    EagerOps ops;
  };

  at::Tensor Forward(EagerOps& ops, const Architecture& architecture,
                     const Part& part) const {
    return Transformer(ops, architecture, job_.space->task(), part.input,
                       part.batch.target);
  }

  at::Tensor Loss(const at::Tensor& logits,
                  const std::optional<SoftTargets>& answers,
                  const Part& part) const {
    const at::Tensor hard =
        LabelLoss(logits, part.batch.labels, training_.label_smoothing);
    return distiller_
               ? distiller_->LogitsLoss(hard, logits, answers, part.batch)
               : hard;
  }

  const SupernetJob& job_;
  const SupernetOptions& options_;
  const TrainingOptions& training_;
  const DistillationOptions& distillation_;
  const Architecture& largest_architecture_;
  WeightSource& others_;
  EagerOps largest_;
  EagerOps plain_;
  std::vector<std::unique_ptr<Rounded>> rounded_;
  std::optional<Distiller> distiller_;
};

class SupernetTraining {
 public:
  SupernetTraining(const SupernetJob& job, const SupernetOptions& options,
                   const TrainingOptions& training)
      : job_(job),
        options_(options),
        training_(training),
        distillation_(LogitsAlone(job.distillation)),
        largest_(LargestOf(*job.space)),
        smallest_(SmallestOf(*job.space)),
        weights_(
            SharedShapesOf(WithoutConstraints(*job.space)),
            {job.seed,
             {.beta2 = training.beta2, .weight_decay = training.weight_decay},
             job.initial,
             static_cast<std::size_t>(options.shards)}),
        batches_(*job.data, job.space->task(), training, job.seed, at::kCPU),
        schedule_{training.learning_rate, training.warmup_steps,
                  training.steps} {
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.shards); ++i) {
      shards_.push_back(std::make_unique<Shard>(
          weights_, i, job_, options_, training_, distillation_, largest_));
    }
  }

  std::variant<NamedTensors, Failure> Run() {
    for (std::int64_t step = 0; step < training_.steps; ++step) {
      if (job_.cancelled != nullptr && job_.cancelled->load()) {
        throw Error(ErrorCode::kCancelled, "training was interrupted");
      }
      if (step % options_.hold_steps == 0) DrawTrainees(step);
      if (auto failure = Step(step)) return *failure;
      if (job_.on_step && (step + 1) % kStepsBetweenReports == 0) {
        job_.on_step(step + 1, training_.steps);
      }
    }
    return weights_.Snapshot();
  }

 private:
  void DrawTrainees(std::int64_t step) {
    trainees_ = {{smallest_}};
    Rng rng(job_.seed, step, "subnets");
    for (std::int64_t i = 0; i < options_.random_subnets; ++i) {
      trainees_.push_back({job_.space->Sample(rng)});
    }
    if (options_.rounded) RoundTrainees();
    for (auto& shard : shards_) shard->SetRounded(trainees_);
  }

  void RoundTrainees() {
    const TaskShape& task = job_.space->task();
    const TaskData examples = SomeRows(*job_.data, kCalibrationExamples);
    const NamedTensors shared = weights_.Snapshot();
    QuantizationOptions quantization;
    quantization.calibration = "min-max";
    quantization.reduce_range = job_.reduce_range;
    quantization.symmetric_activations = job_.symmetric_activations;
    ForEach(trainees_.size(), [&](std::size_t i) {
      Trainee& trainee = trainees_[i];
      const Architecture& architecture = trainee.architecture;
      if (architecture == WithoutPrecision(architecture)) return;
      const NamedTensors own =
          ExtractSubnet(shared, architecture, task, job_.seed);
      trainee.quantized =
          QuantizeNetwork(architecture, task, own, examples, quantization);
      trainee.linears =
          CalibrationRun(architecture, task, own, examples).FindLinears();
    });
  }

  template <typename Work>
  static void ForEach(std::size_t count, Work work) {
    tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
      NoWarnings none;
      const c10::WarningUtils::WarningHandlerGuard guard(&none);
      AtTorchBoundary("training the supernet", [&] { work(i); });
    });
  }

  // Over which a part's loss is a mean.
  static double LabelsOf(const Part& part) {
    return part.batch.labels.ne(kNoLabel).sum().item<double>();
  }

  // Rows of a batch, cut evenly.
  std::vector<Part> CutBatch(const Batch& rows) {
    const std::size_t count = std::min(shards_.size(), rows.rows.size());
    std::vector<Part> parts;
    double labels = 0;
    std::size_t first = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t end = rows.rows.size() * (i + 1) / count;
      Part part;
      part.rows.tokens = rows.tokens;
      part.rows.rows.assign(
          rows.rows.begin() + static_cast<std::ptrdiff_t>(first),
          rows.rows.begin() + static_cast<std::ptrdiff_t>(end));
      part.batch = batches_.Make(part.rows);
      part.input = batches_.Perturbed(part.rows, part.batch.input);
      part.share = LabelsOf(part);
      labels += part.share;
      parts.push_back(std::move(part));
      first = end;
    }
    for (Part& part : parts) part.share /= labels;
    return parts;
  }

  std::optional<Failure> Step(std::int64_t step) {
    const std::vector<Part> parts = CutBatch(batches_.Next());
    std::vector<at::Tensor> inputs;
    for (const Part& part : parts) inputs.push_back(part.input.flatten());
    weights_.BeginStep(at::cat(inputs));
    std::vector<double> losses(parts.size());
    ForEach(parts.size(), [&](std::size_t i) {
      losses[i] = shards_[i]->Run(trainees_, parts[i]);
    });
    for (const double loss : losses) {
      if (!std::isfinite(loss)) return Diverged("loss", step);
    }
    weights_.CollectGradients(options_.project_conflicts);
    const double norm = GradientNorm(weights_.Gradients());
    if (!std::isfinite(norm)) return Diverged("gradient", step);
    const bool clip = training_.clip_norm > 0 && norm > training_.clip_norm;
    const double rate = schedule_.At(step);
    weights_.Step(rate, rate * training_.embedding_learning_rate_scale,
                  clip ? norm / training_.clip_norm : 1);
    return std::nullopt;
  }

  Failure Diverged(const std::string& what, std::int64_t step) const {
    return {"diverged", "the supernet's " + what + " was not finite at step " +
                            std::to_string(step + 1) + " of " +
                            std::to_string(training_.steps) +
                            "; a lower supernet.training.learning_rate would "
                            "help"};
  }

  const SupernetJob& job_;
  const SupernetOptions& options_;
  const TrainingOptions& training_;
  DistillationOptions distillation_;
  Architecture largest_;
  Architecture smallest_;
  SharedWeights weights_;
  TrainingBatches batches_;
  LearningRateSchedule schedule_;
  std::vector<std::unique_ptr<Shard>> shards_;
  // The smallest, and random ones.
  std::vector<Trainee> trainees_;
};

}  // namespace

Architecture LargestOf(const SearchSpace& space) {
  const auto largest = WithoutConstraints(space).Largest();
  HONE_CHECK(largest.has_value());
  return WithoutPrecision(*largest);
}

Architecture SmallestOf(const SearchSpace& space) {
  const auto smallest = WithoutConstraints(space).Smallest();
  HONE_CHECK(smallest.has_value());
  return WithoutPrecision(*smallest);
}

std::variant<NamedTensors, Failure> TrainSupernet(
    const SupernetJob& job, const SupernetOptions& options,
    const TrainingOptions& training) {
  HONE_CHECK(job.space != nullptr && job.data != nullptr);
  if (job.data->size() == 0) {
    throw Error(ErrorCode::kUsage, "the training split has no examples");
  }
  return AtTorchBoundary("training the supernet", [&] {
    return SupernetTraining(job, options, training).Run();
  });
}

}  // namespace hone
