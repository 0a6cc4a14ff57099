#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mse_loss.h>

namespace hone {

// T^2 KL(softmax(teacher/T) || softmax(student/T)), the mean over the batch
// (Hinton et al. 2015, 2: T^2 keeps the gradient's size as T changes).
// Shapes: [N,C], [N,C] -> [].
inline at::Tensor SoftTargetLoss(const at::Tensor& student_BC,
                                 const at::Tensor& teacher_BC,
                                 double temperature) {
  at::Tensor log_target_BC;
  at::Tensor target_BC;
  {
    const at::NoGradGuard no_grad;
    log_target_BC = at::log_softmax(teacher_BC.div(temperature), 1);
    target_BC = log_target_BC.exp();
  }
  const at::Tensor log_student_BC =
      at::log_softmax(student_BC.div(temperature), 1);
  return log_target_BC.sub(log_student_BC)
      .mul(target_BC)
      .sum(1)
      .mean()
      .mul(temperature * temperature);
}

// Mean squared difference of the student's hidden states, projected to the
// teacher's width, and the teacher's (Jiao et al. 2020, eq. 8).
// Shapes: [B,T,S], [D,S], [B,T,D] -> [].
inline at::Tensor HiddenLoss(const at::Tensor& student_BTS,
                             const at::Tensor& projection_DS,
                             const at::Tensor& teacher_BTD) {
  return at::mse_loss(at::linear(student_BTS, projection_DS), teacher_BTD);
}

}  // namespace hone
