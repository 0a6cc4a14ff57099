#pragma once

#include <optional>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/base/fields.h"
#include "space/base/rng.h"
#include "space/constraint.h"
#include "space/cost.h"

namespace hone {

// The choices of a search, as written in a spec's [space] table.
struct SearchSpaceOptions {
  std::vector<std::int64_t> d_model = {64, 128};
  std::vector<std::int64_t> layers = {1, 2};
  std::vector<std::int64_t> heads = {2, 4};
  std::vector<std::int64_t> feed_forward = {128, 256};
  std::vector<std::string> attention = {"full"};  // "full", "local:W"
  std::vector<std::string> precision = {"f32", "w8a8", "w4"};
  // Bounds on a cost metric: "parameters <= 2e6".
  std::vector<std::string> constraints = {};

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("d_model", self.d_model, InRange{8, 8192}, "model widths to try");
    visit("layers", self.layers, InRange{1, 64}, "numbers of blocks to try");
    visit("heads", self.heads, InRange{1, 128},
          "attention heads to try, per block; each must divide some d_model");
    visit("feed_forward", self.feed_forward, InRange{8, 32768},
          "feed-forward widths to try, per block");
    visit("attention", self.attention, AnyValue{},
          "attention kinds to try, per block: \"full\" or \"local:WINDOW\"");
    visit("precision", self.precision, OneOf{PrecisionNames()},
          "precisions to try, per block");
    visit("constraints", self.constraints, AnyValue{},
          "bounds checked before any training, such as \"parameters <= 2e6\"; "
          "metrics: parameters, multiply_adds, weight_bytes, activation_bytes");
  }
};

// The set of architectures that a search may propose. Heads that do not divide
// d_model are no members. Immutable; safe to share between threads.
class SearchSpace {
 public:
  // `task` fixes what the cost depends on beside the architecture.
  // Throws Error{kUsage}: bad word, empty list, no head count that divides.
  SearchSpace(const SearchSpaceOptions& options, const TaskShape& task);

  const SearchSpaceOptions& options() const { return options_; }
  const TaskShape& task() const { return task_; }

  // The number of architectures before the constraints, exact up to 2^53.
  double Size() const;
  // Every block and the stem are choices of the space, and the constraints
  // hold.
  bool Contains(const Architecture& architecture) const;
  // Empty when all constraints hold, else the first broken one in words.
  std::string ConstraintViolation(const Architecture& architecture) const;
  // Uniform over (d_model, layers, then each block independently), rejecting
  // what breaks a constraint. Throws Error{kUsage} after 10,000 rejections.
  Architecture Sample(Rng& rng) const;
  // The uniform architecture of the largest (or smallest) choices, all blocks
  // with the first attention kind and precision of the spec; empty where it
  // breaks a constraint.
  std::optional<Architecture> Largest() const;
  std::optional<Architecture> Smallest() const;
  // All members that satisfy the constraints, in encoding order; throws
  // Error{kUsage} when Size() exceeds `limit`.
  std::vector<Architecture> Enumerate(std::size_t limit) const;

  // Every kind with every head count that divides the width, in spec order.
  std::vector<AttentionSpec> AttentionChoices(std::int64_t d_model) const;
  BlockSpec SampleBlock(std::int64_t d_model, Rng& rng) const;

 private:
  std::optional<Architecture> Uniform(std::int64_t d_model, std::int64_t layers,
                                      std::int64_t heads,
                                      std::int64_t feed_forward) const;

  SearchSpaceOptions options_;
  TaskShape task_;
  std::vector<AttentionSpec> attention_kinds_;  // heads unset
  std::vector<Constraint> constraints_;
};

}  // namespace hone
