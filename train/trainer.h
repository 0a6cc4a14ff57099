#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "eval/measurement.h"
#include "space/architecture.h"
#include "space/base/fields.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/data/task_data.h"
#include "train/distill/distillation.h"

namespace hone {

// How one network is trained: a spec's [teacher.training] and [training].
struct TrainingOptions {
  std::int64_t steps = 1000;
  std::int64_t batch_size = 64;
  double learning_rate = 1e-3;
  double embedding_learning_rate_scale = 1;
  std::int64_t warmup_steps = 100;
  double weight_decay = 0.01;
  double clip_norm = 1;
  double dropout = 0.1;
  double word_dropout = 0;
  double label_smoothing = 0;
  double beta2 = 0.999;
  std::int64_t redraw_steps = 1000;
  std::string device = "cpu";

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("steps", self.steps, InRange{1, 1e8}, "optimizer steps");
    visit("batch_size", self.batch_size, InRange{1, 65536},
          "sequences in a step, all of one length");
    visit("learning_rate", self.learning_rate, InRange{1e-8, 10},
          "peak, after the warm-up; then a cosine to zero");
    visit("embedding_learning_rate_scale", self.embedding_learning_rate_scale,
          InRange{0, 1000},
          "multiplies the rate of an encoder's token embedding");
    visit("warmup_steps", self.warmup_steps, InRange{0, 1e8},
          "steps of linear warm-up");
    visit("weight_decay", self.weight_decay, InRange{0, 10},
          "decoupled (AdamW), on matrices only");
    visit("clip_norm", self.clip_norm, InRange{0, 1e6},
          "largest gradient norm; 0 turns clipping off");
    visit("dropout", self.dropout, InRange{0, 0.9},
          "on the stem's and each sublayer's output");
    visit("word_dropout", self.word_dropout, InRange{0, 0.9},
          "probability that a token that is read is replaced by the unknown "
          "token, a pixel by a black one; of a translation in its source");
    visit("label_smoothing", self.label_smoothing, InRange{0, 0.9},
          "of the cross-entropy");
    visit("beta2", self.beta2, InRange{0.85, 0.99999},
          "how slowly AdamW forgets squared gradients");
    visit("redraw_steps", self.redraw_steps, InRange{0, 1e8},
          "steps between new random features of performer attention, the last "
          "fifth of the training left alone; 0, and in a supernet: never new "
          "ones");
    visit("device", self.device, OneOf{{"cpu"}}, "where tensors live");
  }
};

struct TrainingResult {
  // f32, by the names that the network asks for; of a quantized job as
  // QuantizeNetwork returns them.
  NamedTensors weights;
  double final_loss = 0;  // mean of the last 50 steps
  double tokens_per_second = 0;
};

// What a training run needs to know beside the options.
struct TrainingJob {
  Architecture architecture;
  TaskShape task;
  const TaskData* data = nullptr;  // the training split
  std::uint64_t seed = 0;          // labels every stream
  // Set for a student that learns from a teacher.
  const Teacher* teacher = nullptr;
  DistillationOptions distillation;
  // Weights that start from these values instead of at random, by name; each
  // must be one of the network's.
  NamedTensors initial;
  // What QuantizeNetwork made of `initial`, which then has all weights: the
  // network is trained as it will be rounded (QatWeights), at the precisions of
  // its architecture. Scales stay as they are in the last fifth of the steps.
  NamedTensors quantized = {};
  // Called every few steps from the training thread.
  std::function<void(std::int64_t step, std::int64_t steps)> on_step;
  // Checked at every step; Error{kCancelled} is thrown when true.
  const std::atomic<bool>* cancelled = nullptr;
};

// Trains a network of any topology in f32 on one thread with labelled streams
// alone: the same job gives the same bytes. A non-finite loss or gradient gives
// Failure{"diverged"}.
std::variant<TrainingResult, Failure> TrainNetwork(
    const TrainingJob& job, const TrainingOptions& options);

// Sets LibTorch's intra-op threads to one; to be called once, before any
// LibTorch work.
void InitializeTorch();
std::string TorchVersion();

}  // namespace hone
