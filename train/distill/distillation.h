#pragma once

#include <optional>
#include <string>
#include <vector>

#include "space/base/fields.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/distill/bert.h"

namespace hone {

// The [distillation] table. Loss = hard_weight * CE(labels)
//   + logits_weight * T^2 * divergence(teacher/T, student/T)
//   + hidden_weight * MSE(student hidden * P, teacher hidden)
//   + relation_weight * KL(teacher relations || student relations)
// with P a learned projection; the terms and their sources are in losses.h, the
// layers that are compared in layer_map.h.
struct DistillationOptions {
  double hard_weight = 0.3;
  double logits_weight = 0.7;
  std::string divergence = "forward-kl";
  double temperature = 2;
  std::int64_t top_k = 0;
  double hidden_weight = 0;
  std::string hidden_layers = "last";
  double relation_weight = 0;
  std::int64_t relation_heads = 8;
  std::int64_t relation_layer = 1;
  bool embedding_from_teacher = true;

  // Whether anything is learned from a teacher at all.
  bool UsesTeacher() const {
    return logits_weight > 0 || hidden_weight > 0 || relation_weight > 0 ||
           embedding_from_teacher;
  }

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("hard_weight", self.hard_weight, InRange{0, 1000},
          "weight of the cross-entropy with the labels");
    visit("logits_weight", self.logits_weight, InRange{0, 1000},
          "weight of the divergence from the teacher's logits; 0: off");
    visit("divergence", self.divergence,
          OneOf{{"forward-kl", "reverse-kl", "alpha"}},
          "KL from the teacher to the student, KL from the student to the "
          "teacher, or AlphaNet's larger of two clipped alpha-divergences");
    visit("temperature", self.temperature, InRange{0.1, 100},
          "softens both distributions");
    visit("top_k", self.top_k, InRange{0, 65536},
          "of a translation: keep the teacher's so many likeliest tokens of "
          "each place on disk, with the sum of the rest, and do not run it "
          "again; 0: all tokens, computed as needed");
    visit("hidden_weight", self.hidden_weight, InRange{0, 1000},
          "weight of the distance from the teacher's hidden states, after a "
          "learned projection; 0: off");
    visit("hidden_layers", self.hidden_layers, OneOf{{"last", "uniform"}},
          "compare the last block, or each with the teacher's at the same "
          "relative depth");
    visit("relation_weight", self.relation_weight, InRange{0, 1000},
          "weight of the divergence from the teacher's relations between "
          "queries, keys and values of its self-attention; 0: off");
    visit("relation_heads", self.relation_heads, InRange{1, 1024},
          "heads that relations are cut in: the largest number up to this that "
          "divides both widths");
    visit("relation_layer", self.relation_layer, InRange{1, 64},
          "the teacher's block whose relations the student's last one learns, "
          "counted from the teacher's last, which is 1");
    visit("embedding_from_teacher", self.embedding_from_teacher, AnyValue{},
          "start from the principal components of the teacher's token "
          "embedding, where the network reads tokens");
  }
};

// A teacher's likeliest tokens at every place of every target, in the order of
// the examples; a target of n tokens has n + 1 places.
// Shapes: P places, K tokens.
struct TopTargets {
  double temperature = 0;  // that the probabilities were softened by
  TensorData tokens_PK = {DType::kI32, {0, 0}, {}};
  // f32 [P,K+1], the last that of all others.
  TensorData log_probabilities = {DType::kF32, {0, 0}, {}};
};

// What a student learns from. Made once per study. The logits of a
// classification on the training split are computed once and kept on disk, and
// the likeliest tokens of a translation where they are asked for; else a
// decoder's logits are computed as they are needed.
//
// An ensemble answers with the mean of its members' probabilities. Hidden
// states, relations and the embedding are those of the first member.
struct Teacher {
  Architecture architecture;
  TaskShape task;
  NamedTensors weights;
  // f32, one row for each training example, or empty.
  TensorData logits_NC = {DType::kF32, {0}, {}};
  std::vector<NamedTensors> other_members = {};
  TopTargets top = {};
  // Set where the weights are those of a BERT, and `architecture` is its. Then
  // there are logits, and hidden states are those of the tokens between [CLS]
  // and [SEP].
  std::optional<Bert> bert = std::nullopt;
};

}  // namespace hone
