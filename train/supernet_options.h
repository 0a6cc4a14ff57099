#pragma once

#include <cstdint>
#include <string>

#include "space/base/fields.h"

namespace hone {

// The [supernet] table: how one set of weights is trained for all architectures
// of a space.
struct SupernetOptions {
  std::int64_t random_subnets = 2;
  std::int64_t hold_steps = 4;
  bool rounded = true;
  double largest_weight = 0.5;
  std::string divergence = "forward-kl";
  bool project_conflicts = false;
  bool sort_channels = true;
  std::int64_t shards = 2;
  bool warm_start = true;
  double warm_learning_rate = 2e-4;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("random_subnets", self.random_subnets, InRange{0, 64},
          "random architectures in each step, beside the largest and the "
          "smallest");
    visit("hold_steps", self.hold_steps, InRange{1, 1e6},
          "steps that they stay before others are drawn, and with them the "
          "scales that they are rounded with");
    visit("rounded", self.rounded, AnyValue{},
          "train the random ones as they would be rounded, each at its "
          "precisions");
    visit("largest_weight", self.largest_weight, InRange{0, 1000},
          "weight of what they learn from the largest, beside what [training] "
          "and [distillation] say");
    visit("divergence", self.divergence,
          OneOf{{"forward-kl", "reverse-kl", "alpha"}},
          "from the largest's answers, as in [distillation]");
    visit("project_conflicts", self.project_conflicts, AnyValue{},
          "take out of the largest's gradient of each weight what opposes the "
          "gradient of the others");
    visit("sort_channels", self.sort_channels, AnyValue{},
          "put the channels, heads and neurons of the trained largest network "
          "in order of importance before others share them");
    visit("shards", self.shards, InRange{1, 64},
          "parts that a batch is cut in, computed side by side");
    visit("warm_start", self.warm_start, AnyValue{},
          "begin the training of each student with its part of the supernet, "
          "where there is one");
    visit("warm_learning_rate", self.warm_learning_rate, InRange{1e-8, 10},
          "the peak rate of such training, in place of [training]'s");
  }
};

}  // namespace hone
