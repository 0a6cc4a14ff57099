#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace hone {

// Linear warm-up from zero to `peak` over `warmup_steps`, then half a cosine
// down to zero at `steps` (Loshchilov & Hutter 2017, SGDR, 3). A pure function
// of the step, counted from 0.
struct LearningRateSchedule {
  double peak = 1e-3;
  std::int64_t warmup_steps = 0;
  std::int64_t steps = 1;
  double At(std::int64_t step) const;
};

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

// Euclidean norm of all gradients together.
double GradientNorm(const std::vector<at::Tensor>& gradients);

// AdamW (Loshchilov & Hutter 2019, algorithm 2) on leaves, in one fused pass:
//   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
//   p -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps) + lr * decay * p
// Weight decay reaches `decayed` alone. Not thread-safe.
class AdamW {
 public:
  AdamW(std::vector<at::Tensor> decayed, std::vector<at::Tensor> plain,
        const AdamWOptions& options);

  // The leaves' gradients. Requires: backward has run for every leaf.
  std::vector<at::Tensor> Gradients() const;
  // One step with gradients divided by `divisor`, which clipping makes the
  // ratio of their norm to its bound; then forgets the gradients.
  void Step(double learning_rate, double divisor);

 private:
  struct Group {
    std::vector<at::Tensor> leaves;
    std::vector<at::Tensor> first_moments;
    std::vector<at::Tensor> second_moments;
    double weight_decay = 0;
  };
  static Group MakeGroup(std::vector<at::Tensor> leaves, double weight_decay);
  void StepGroup(Group& group, double learning_rate, double divisor);

  AdamWOptions options_;
  Group decayed_;
  Group plain_;
  std::int64_t step_ = 0;
};

// A table of rows, of which a step touches few, under Adam without decay:
// the same result as dense Adam at the cost of the rows touched. A row whose
// gradient is zero still moves under dense Adam, along its fading momentum;
// that motion is made good when the row is next read (the deferral of Lipton &
// Elkan 2015, "Efficient elastic net regularization for sparse linear models",
// applied to Adam): k steps after its last gradient
//   m <- b1^k m,  v <- b2^k v,
//   p <- p - m / sqrt(v) * sum_{j=1..k} lr_j (b1/sqrt(b2))^j
//                                       sqrt(1-b2^{t_j}) / (1-b1^{t_j})
// exact but for epsilon, which is neglected beside sqrt(v). "Lazy Adam" (as in
// TensorFlow Addons) drops that motion instead, which is most of what a rare
// row ever moves.
class AdamTable {
 public:
  // value_VD: rows of the table, not a leaf.
  AdamTable(at::Tensor value_VD, const AdamWOptions& options);

  // The given rows, up to date. Where gradients are enabled the result is a
  // leaf, and Step trains it. Requires: rows are distinct; one fetch with
  // gradients between two steps.
  at::Tensor Fetch(const at::Tensor& rows_U);
  // The gradient of the fetched rows, [U,D].
  const at::Tensor& Gradient() const;
  // One step of all rows.
  void Step(double learning_rate, double divisor);
  // Every row up to date. Shapes: [V,D].
  at::Tensor Value();

 private:
  struct Rows {
    at::Tensor indices;
    at::Tensor value;
    at::Tensor first_moment;
    at::Tensor second_moment;
  };
  Rows UpToDate(const at::Tensor& rows_U) const;
  void Store(const Rows& rows);
  void ExtendTails(double learning_rate);

  AdamWOptions options_;
  Rows all_;  // indices: the step that each row is up to date with, [V]
  std::optional<Rows> fetched_;
  std::int64_t step_ = 0;
  // The sum above up to now, by the step of the row's last gradient; grows by
  // doubling.
  at::Tensor tails_;
  // (b1/sqrt(b2))^j for j = n..1; older momentum has faded to nothing.
  at::Tensor fading_;
};

}  // namespace hone
