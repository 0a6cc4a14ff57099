#include "train/distill/losses.h"

#include <cmath>
#include <limits>
#include <numeric>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include "space/base/error.h"

namespace hone {
namespace {

// Finite, so that its product with a probability of 0 is 0.
constexpr double kHiddenScore = -1e9;

std::int64_t CommonHeads(std::int64_t most, std::int64_t a, std::int64_t b) {
  const std::int64_t both = std::gcd(a, b);
  std::int64_t heads = std::min(most, both);
  while (both % heads != 0) --heads;
  return heads;
}

// Log of a token's relation to each. Shapes: [B,T,W] -> [B,R,T,T].
at::Tensor LogRelations(const at::Tensor& x_BTW, std::int64_t heads,
                        bool causal) {
  const std::int64_t tokens = x_BTW.size(1);
  const std::int64_t width = x_BTW.size(2) / heads;
  const at::Tensor x_BRTE = x_BTW.unflatten(2, {heads, width}).transpose(1, 2);
  at::Tensor scores =
      at::matmul(x_BRTE.div(std::sqrt(static_cast<double>(width))),
                 x_BRTE.transpose(2, 3));
  if (causal) {
    const at::Tensor later_TT =
        at::ones({tokens, tokens}, x_BTW.options().dtype(at::kBool)).triu(1);
    scores = scores.masked_fill(later_TT, kHiddenScore);
  }
  return at::log_softmax(scores, 3);
}

}  // namespace

at::Tensor ForwardKl(const at::Tensor& log_student_NC,
                     const at::Tensor& log_teacher_NC) {
  const at::Tensor log_target = log_teacher_NC.detach();
  return log_target.sub(log_student_NC).mul(log_target.exp()).sum(-1);
}

at::Tensor ReverseKl(const at::Tensor& log_student_NC,
                     const at::Tensor& log_teacher_NC) {
  return log_student_NC.sub(log_teacher_NC.detach())
      .mul(log_student_NC.exp())
      .sum(-1);
}

at::Tensor AlphaDivergence(const at::Tensor& log_student_NC,
                           const at::Tensor& log_teacher_NC, double alpha,
                           double clip) {
  if (alpha == 0) return ReverseKl(log_student_NC, log_teacher_NC);
  if (alpha == 1) return ForwardKl(log_student_NC, log_teacher_NC);
  at::Tensor value_N;
  at::Tensor pull_NC;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor excess_NC = log_teacher_NC.sub(log_student_NC)
                                     .mul_(alpha)
                                     .clamp_max_(std::log(clip))
                                     .expm1_();
    const at::Tensor weighed_NC = excess_NC.mul(log_student_NC.exp());
    value_N = weighed_NC.sum(1).div(alpha * (alpha - 1));
    pull_NC = weighed_NC.div(-alpha);
  }
  const at::Tensor surrogate_N = pull_NC.mul(log_student_NC).sum(1);
  return surrogate_N.add(value_N.sub(surrogate_N.detach()));
}

at::Tensor AdaptiveAlphaDivergence(const at::Tensor& log_student_NC,
                                   const at::Tensor& log_teacher_NC) {
  constexpr double kLow = -1;
  constexpr double kHigh = 1;
  constexpr double kClip = 5;
  const at::Tensor low_N =
      AlphaDivergence(log_student_NC, log_teacher_NC, kLow, kClip);
  const at::Tensor high_N =
      AlphaDivergence(log_student_NC, log_teacher_NC, kHigh, kClip);
  return at::where(low_N.gt(high_N), low_N, high_N);
}

at::Tensor DivergenceByName(const std::string& name,
                            const at::Tensor& log_student_NC,
                            const at::Tensor& log_teacher_NC) {
  if (name == "forward-kl") return ForwardKl(log_student_NC, log_teacher_NC);
  if (name == "reverse-kl") return ReverseKl(log_student_NC, log_teacher_NC);
  HONE_CHECK_EQ(name, "alpha");
  return AdaptiveAlphaDivergence(log_student_NC, log_teacher_NC);
}

at::Tensor KeepOutcomes(const at::Tensor& log_NC, const at::Tensor& tokens_NK) {
  HONE_CHECK_LT(tokens_NK.size(1), log_NC.size(1));
  const at::Tensor others_N1 = at::logsumexp(
      log_NC.scatter(1, tokens_NK, -std::numeric_limits<double>::infinity()), 1,
      true);
  return at::cat({log_NC.gather(1, tokens_NK), others_N1}, 1);
}

SoftTargets SoftTargetsOf(const at::Tensor& logits_NC, double temperature) {
  const at::NoGradGuard no_grad;
  return {at::log_softmax(logits_NC.div(temperature), 1), {}};
}

at::Tensor SoftTargetLoss(const at::Tensor& student_NC,
                          const SoftTargets& targets,
                          const std::string& divergence, double temperature) {
  at::Tensor log_student = at::log_softmax(student_NC.div(temperature), 1);
  if (targets.tokens_NK.defined()) {
    log_student = KeepOutcomes(log_student, targets.tokens_NK);
  }
  return DivergenceByName(divergence, log_student, targets.log_probabilities)
      .mean()
      .mul(temperature * temperature);
}

at::Tensor MeanProbabilities(const std::vector<at::Tensor>& logits) {
  std::vector<at::Tensor> logs;
  for (const at::Tensor& member : logits) {
    logs.push_back(at::log_softmax(member, -1));
  }
  return at::logsumexp(at::stack(logs), 0)
      .sub(std::log(static_cast<double>(logits.size())));
}

at::Tensor HiddenLoss(const at::Tensor& student_S,
                      const at::Tensor& projection_DS,
                      const at::Tensor& teacher_D) {
  return at::mse_loss(at::linear(student_S, projection_DS), teacher_D);
}

at::Tensor RelationDivergence(const at::Tensor& student_BTW,
                              const at::Tensor& teacher_BTV,
                              std::int64_t most_heads, bool causal) {
  const std::int64_t heads =
      CommonHeads(most_heads, student_BTW.size(2), teacher_BTV.size(2));
  return ForwardKl(LogRelations(student_BTW, heads, causal),
                   LogRelations(teacher_BTV.detach(), heads, causal))
      .mean(1);
}

}  // namespace hone
