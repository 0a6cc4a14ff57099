#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace hone {

// Divergences: how far a student's distribution q is from its teacher's p, for
// each row. No gradient reaches p.
// Shapes: log-probabilities [N,C], [N,C] -> [N].

// KL(p || q) = sum p (log p - log q): covers all that the teacher thinks likely
// (Hinton et al. 2015, 2).
at::Tensor ForwardKl(const at::Tensor& log_student_NC,
                     const at::Tensor& log_teacher_NC);

// KL(q || p) = sum q (log q - log p): avoids what the teacher thinks unlikely.
at::Tensor ReverseKl(const at::Tensor& log_student_NC,
                     const at::Tensor& log_teacher_NC);

// D_a = 1/(a (a - 1)) sum q [(p/q)^a - 1] (Wang et al. 2021, AlphaNet, 3),
// with the importance weights (p/q)^a clipped at `clip`; a -> 1 and a -> 0 tend
// to the two KL divergences, which are returned there, unclipped. The gradient
// is that of the formula with the clipped weights in it,
//   dD/dlogits = -1/a sum q [min((p/q)^a, clip) - 1] dlog q/dlogits,
// and not that of the clipped value, as in the authors' program. Holds for
// log-probabilities that a softmax made.
at::Tensor AlphaDivergence(const at::Tensor& log_student_NC,
                           const at::Tensor& log_teacher_NC, double alpha,
                           double clip);

// The larger of D_-1 and D_1 of each row, clipped at 5 (AlphaNet, 3; the bounds
// are those of the authors' program).
at::Tensor AdaptiveAlphaDivergence(const at::Tensor& log_student_NC,
                                   const at::Tensor& log_teacher_NC);

// By the name of distillation.divergence.
at::Tensor DivergenceByName(const std::string& name,
                            const at::Tensor& log_student_NC,
                            const at::Tensor& log_teacher_NC);

// The probabilities of some outcomes, and of all others together. KL between
// such distributions is at most that between the full ones, equal where only
// one other is left. Requires: K < C, tokens of a row distinct.
// Shapes: log-probabilities [N,C], int64 [N,K] -> [N,K+1].
at::Tensor KeepOutcomes(const at::Tensor& log_NC, const at::Tensor& tokens_NK);

// What a teacher says of N rows.
struct SoftTargets {
  at::Tensor log_probabilities;  // [N,C], or [N,K+1] as of KeepOutcomes
  at::Tensor tokens_NK;          // undefined where there are all C
};

// softmax(logits / T) of the teacher. Shapes: [N,C].
SoftTargets SoftTargetsOf(const at::Tensor& logits_NC, double temperature);

// T^2 times the divergence of softmax(student / T), the mean over rows (Hinton
// et al. 2015, 2: T^2 keeps the gradient's size as T changes).
// Shapes: [N,C] -> [].
at::Tensor SoftTargetLoss(const at::Tensor& student_NC,
                          const SoftTargets& targets,
                          const std::string& divergence, double temperature);

// log of the mean of the members' probabilities: what an ensemble answers.
// Shapes: M times [...,C] -> [...,C].
at::Tensor MeanProbabilities(const std::vector<at::Tensor>& logits);

// Mean squared difference of the student's hidden states, projected to the
// teacher's width, and the teacher's (Jiao et al. 2020, eq. 8).
// Shapes: [...,S], [D,S], [...,D] -> [].
at::Tensor HiddenLoss(const at::Tensor& student_S,
                      const at::Tensor& projection_DS,
                      const at::Tensor& teacher_D);

// KL between the self-relations softmax(A A^T / sqrt(W/R)) of teacher and
// student, where A is cut in R heads, the mean over heads (Wang et al. 2021,
// MiniLMv2, 3.1). R is the largest number up to `most_heads` that divides
// both widths, so that neither widths nor heads need agree. With `causal` a
// token is related to those before it and itself.
// Shapes: [B,T,W], [B,T,V] -> [B,T].
at::Tensor RelationDivergence(const at::Tensor& student_BTW,
                              const at::Tensor& teacher_BTV,
                              std::int64_t most_heads, bool causal);

}  // namespace hone
