#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "space/search_space.h"
#include "train/optimizer.h"
#include "train/weight_source.h"

namespace hone {

// A weight that all members of a space share: as large, in every axis, as any
// of them asks for it.
struct SharedShape {
  WeightRole role = WeightRole::kMatrix;
  std::vector<std::int64_t> sizes;
  bool looked_up = true;  // a table that is read by rows in all of them
};
// By name; random features, which each member has of its own, are left out.
using SharedShapes = std::map<std::string, SharedShape>;
SharedShapes SharedShapesOf(const SearchSpace& space);

// The first `shape` of a larger tensor, in every axis: what a member has of a
// shared weight. A view.
at::Tensor FirstOf(const at::Tensor& whole, at::IntArrayRef shape);

struct SharedWeightsOptions {
  std::uint64_t seed = 0;
  AdamWOptions adam = {};
  // The first part of some weights; the rest is NewWeight.
  NamedTensors initial = {};
  std::size_t shards = 1;
};

// One set of weights for all members of a space, in training. Members read
// views of it, and their gradients are added up where the whole weight's
// gradient lies: autograd's way with a slice would fill a gradient of full size
// with zeros for each.
//
// A step: BeginStep, then forward and backward of any members through Source,
// one thread a shard, then CollectGradients and Step. Weights that nobody read
// have a gradient of zero, along which Adam's momentum goes on.
class SharedWeights {
 public:
  SharedWeights(const SharedShapes& shapes,
                const SharedWeightsOptions& options);
  ~SharedWeights();

  // Whose gradients are kept apart until CollectGradients.
  enum class Member { kLargest, kOther };
  // What members of one shard read. Not thread-safe; valid until the end.
  WeightSource& Source(std::size_t shard, Member member);

  // Tells which tokens the step will read: int64, of any shape. Nothing in
  // networks that read vectors.
  void BeginStep(const at::Tensor& tokens);
  // Adds up the gradients of all shards. With `project`, what of the largest's
  // gradient s opposes the others' gradient k is taken out for each weight by
  //   s + (1 + l) k,  l = clamp(-<s,k> / (|k|^2 + 1e-6), 0, 2)
  // (Gong et al. 2022, NASViT, 3.2; the bounds are those of their program).
  void CollectGradients(bool project);
  // All of them, collected.
  std::vector<at::Tensor> Gradients() const;
  // AdamW with gradients divided by `divisor`, tables at `table_rate`; then
  // forgets them.
  void Step(double learning_rate, double table_rate, double divisor);

  // Copies of all weights, whole.
  NamedTensors Snapshot();

 private:
  class Slot;
  struct Table;

  std::vector<at::Tensor> Leaves(bool decayed) const;

  SharedShapes shapes_;
  SharedWeightsOptions options_;
  std::map<std::string, at::Tensor> values_;
  std::map<std::string, Table> tables_;
  std::vector<std::unique_ptr<Slot>> slots_;  // two for each shard
  std::unique_ptr<AdamW> optimizer_;
};

// The weights of one member, f32, cut out of a Snapshot; `seed` as that of the
// shared weights.
NamedTensors ExtractSubnet(const NamedTensors& shared,
                           const Architecture& architecture,
                           const TaskShape& task, std::uint64_t seed);

}  // namespace hone
