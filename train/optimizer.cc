#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "space/base/error.h"

namespace hone {
namespace {

// Powers of the ratio at which momentum fades, smallest first, from 1e-9 on.
at::Tensor FadingOf(const AdamWOptions& options, const at::Tensor& like) {
  const double ratio = options.beta1 / std::sqrt(options.beta2);
  HONE_CHECK_LT(ratio, 1.0);
  const double count = std::ceil(std::log(1e-9) / std::log(ratio));
  return at::pow(ratio, at::arange(count, 0, -1, like.options()));
}

// The fused kernel reads its scalars as f32, whatever the weights are.
at::TensorOptions ScalarOptions(const at::Tensor& like) {
  return at::TensorOptions(like.device()).dtype(at::kFloat);
}

std::optional<at::Tensor> GradientScale(double divisor,
                                        const at::Tensor& like) {
  if (divisor == 1) return std::nullopt;
  return at::full({}, divisor, ScalarOptions(like));
}

// The kernel divides the gradients by the scale in place.
void FusedStep(const std::vector<at::Tensor>& values,
               const std::vector<at::Tensor>& gradients,
               const std::vector<at::Tensor>& first_moments,
               const std::vector<at::Tensor>& second_moments, std::int64_t step,
               double learning_rate, double divisor,
               const AdamWOptions& options) {
  const at::Tensor count =
      at::full({}, static_cast<double>(step), ScalarOptions(values[0]));
  const std::vector<at::Tensor> counts(values.size(), count);
  at::_fused_adamw_(values, gradients, first_moments, second_moments, {},
                    counts, learning_rate, options.beta1, options.beta2,
                    options.weight_decay, options.epsilon, /*amsgrad=*/false,
                    /*maximize=*/false, GradientScale(divisor, values[0]));
}

}  // namespace

double LearningRateSchedule::At(std::int64_t step) const {
  if (step < warmup_steps) {
    return peak * static_cast<double>(step + 1) /
           static_cast<double>(warmup_steps);
  }
  if (step >= steps) return 0;
  const double progress = static_cast<double>(step - warmup_steps) /
                          static_cast<double>(steps - warmup_steps);
  return peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

double GradientNorm(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> norms = at::_foreach_norm(gradients);
  return at::linalg_vector_norm(at::stack(norms)).item<double>();
}

AdamW::Group AdamW::MakeGroup(std::vector<at::Tensor> leaves,
                              double weight_decay) {
  const at::NoGradGuard no_grad;
  Group group{std::move(leaves), {}, {}, weight_decay};
  for (const at::Tensor& leaf : group.leaves) {
    group.first_moments.push_back(at::zeros_like(leaf));
    group.second_moments.push_back(at::zeros_like(leaf));
  }
  return group;
}

AdamW::AdamW(std::vector<at::Tensor> decayed, std::vector<at::Tensor> plain,
             const AdamWOptions& options)
    : options_(options),
      decayed_(MakeGroup(std::move(decayed), options.weight_decay)),
      plain_(MakeGroup(std::move(plain), 0)) {}

std::vector<at::Tensor> AdamW::Gradients() const {
  std::vector<at::Tensor> gradients;
  for (const Group* group : {&decayed_, &plain_}) {
    for (const at::Tensor& leaf : group->leaves) {
      HONE_CHECK(leaf.grad().defined());
      gradients.push_back(leaf.grad());
    }
  }
  return gradients;
}

void AdamW::Step(double learning_rate, double divisor) {
  const at::NoGradGuard no_grad;
  ++step_;
  StepGroup(decayed_, learning_rate, divisor);
  StepGroup(plain_, learning_rate, divisor);
}

void AdamW::StepGroup(Group& group, double learning_rate, double divisor) {
  if (group.leaves.empty()) return;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& leaf : group.leaves) gradients.push_back(leaf.grad());
  AdamWOptions options = options_;
  options.weight_decay = group.weight_decay;
  FusedStep(group.leaves, gradients, group.first_moments, group.second_moments,
            step_, learning_rate, divisor, options);
  for (at::Tensor& leaf : group.leaves) leaf.mutable_grad().reset();
}

AdamTable::AdamTable(at::Tensor value_VD, const AdamWOptions& options)
    : options_(options) {
  const at::NoGradGuard no_grad;
  all_.value = std::move(value_VD);
  all_.indices =
      at::zeros({all_.value.size(0)}, all_.value.options().dtype(at::kLong));
  all_.first_moment = at::zeros_like(all_.value);
  all_.second_moment = at::zeros_like(all_.value);
  tails_ = at::zeros({1024}, all_.value.options());
  fading_ = FadingOf(options_, all_.value);
}

AdamTable::Rows AdamTable::UpToDate(const at::Tensor& rows_U) const {
  Rows rows{rows_U, all_.value.index_select(0, rows_U),
            all_.first_moment.index_select(0, rows_U),
            all_.second_moment.index_select(0, rows_U)};
  const at::Tensor last_U = all_.indices.index_select(0, rows_U);
  const at::Tensor tail_U1 = tails_.index_select(0, last_U).unsqueeze(1);
  const at::Tensor missed_U1 =
      last_U.neg().add_(step_).to(rows.value.scalar_type()).unsqueeze(1);
  rows.value.addcmul_(
      rows.first_moment.div(rows.second_moment.sqrt().add_(options_.epsilon)),
      tail_U1, -1);
  rows.first_moment.mul_(at::pow(options_.beta1, missed_U1));
  rows.second_moment.mul_(at::pow(options_.beta2, missed_U1));
  return rows;
}

void AdamTable::Store(const Rows& rows) {
  all_.value.index_copy_(0, rows.indices, rows.value);
  all_.first_moment.index_copy_(0, rows.indices, rows.first_moment);
  all_.second_moment.index_copy_(0, rows.indices, rows.second_moment);
  all_.indices.index_fill_(0, rows.indices, step_);
}

at::Tensor AdamTable::Fetch(const at::Tensor& rows_U) {
  const bool training = at::GradMode::is_enabled();
  const at::NoGradGuard no_grad;
  Rows rows = UpToDate(rows_U);
  if (!training) return rows.value;
  HONE_CHECK(!fetched_.has_value());
  rows.value.set_requires_grad(true);
  fetched_ = std::move(rows);
  return fetched_->value;
}

const at::Tensor& AdamTable::Gradient() const {
  HONE_CHECK(fetched_.has_value() && fetched_->value.grad().defined());
  return fetched_->value.grad();
}

void AdamTable::Step(double learning_rate, double divisor) {
  const at::NoGradGuard no_grad;
  const at::Tensor gradient_UD = Gradient();
  ++step_;
  AdamWOptions options = options_;
  options.weight_decay = 0;
  FusedStep({fetched_->value}, {gradient_UD}, {fetched_->first_moment},
            {fetched_->second_moment}, step_, learning_rate, divisor, options);
  fetched_->value.set_requires_grad(false);
  Store(*fetched_);
  fetched_.reset();
  ExtendTails(learning_rate);
}

void AdamTable::ExtendTails(double learning_rate) {
  if (step_ == tails_.size(0)) {
    tails_ = at::cat({tails_, at::zeros_like(tails_)});
  }
  const auto t = static_cast<double>(step_);
  const double rate = learning_rate *
                      std::sqrt(1 - std::pow(options_.beta2, t)) /
                      (1 - std::pow(options_.beta1, t));
  const std::int64_t count = std::min(step_, fading_.size(0));
  tails_.narrow(0, step_ - count, count)
      .add_(fading_.narrow(0, fading_.size(0) - count, count), rate);
}

at::Tensor AdamTable::Value() {
  const at::NoGradGuard no_grad;
  Store(UpToDate(at::arange(all_.value.size(0), all_.indices.options())));
  return all_.value;
}

}  // namespace hone
