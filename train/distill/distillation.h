#pragma once

#include <optional>
#include <string>

#include "space/base/fields.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/distill/bert.h"

namespace hone {

// The [distillation] table. Loss = hard_weight * CE(labels)
//   + logits_weight * T^2 * KL(teacher/T || student/T)      (Hinton et al.
//   2015)
//   + hidden_weight * MSE(student hidden * P, teacher hidden)  over the last
//     layer, P a learned projection                         (Jiao et al. 2020).
struct DistillationOptions {
  double hard_weight = 0.3;
  double logits_weight = 0.7;
  double hidden_weight = 0;
  double temperature = 2;
  bool embedding_from_teacher = true;

  // Whether anything is learned from a teacher at all.
  bool UsesTeacher() const {
    return logits_weight > 0 || hidden_weight > 0 || embedding_from_teacher;
  }

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("hard_weight", self.hard_weight, InRange{0, 1000},
          "weight of the cross-entropy with the labels");
    visit("logits_weight", self.logits_weight, InRange{0, 1000},
          "weight of the divergence from the teacher's logits; 0: off");
    visit("hidden_weight", self.hidden_weight, InRange{0, 1000},
          "weight of the distance from the teacher's last hidden states, after "
          "a learned projection; 0: off");
    visit("temperature", self.temperature, InRange{0.1, 100},
          "softens both distributions");
    visit("embedding_from_teacher", self.embedding_from_teacher, AnyValue{},
          "start from the principal components of the teacher's token "
          "embedding, where the network reads tokens");
  }
};

// What a student learns from. Made once per study. The logits of a
// classification on the training split are computed once and kept on disk;
// those of a decoder are computed as they are needed.
struct Teacher {
  Architecture architecture;
  TaskShape task;
  NamedTensors weights;
  TensorData logits_NC;  // f32, one row for each training example, or empty
  // Set where the weights are those of a BERT, and `architecture` is its. Then
  // there are logits, and hidden states are those of the tokens between [CLS]
  // and [SEP].
  std::optional<Bert> bert = std::nullopt;
};

}  // namespace hone
