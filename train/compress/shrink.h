#pragma once

#include <cstdint>
#include <string>

#include "space/architecture.h"
#include "space/base/fields.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/compress/importance.h"
#include "train/data/task_data.h"

namespace hone {

// The [compression] table: how a trained network becomes a smaller one.
struct CompressionOptions {
  std::string importance = "taylor";
  std::string factors = "activations";
  std::int64_t examples = 1024;
  bool from_largest = false;
  std::int64_t rounds = 1;
  std::int64_t steps = 500;
  double learning_rate = 5e-4;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("importance", self.importance, OneOf{ImportanceCriteria()},
          "which channels, heads, neurons and blocks stay: those whose masks "
          "change the loss most, by first derivative or its square; those with "
          "the longest activations; any, as a control");
    visit("factors", self.factors, OneOf{{"svd", "fisher", "activations"}},
          "what a product of two matrices is nearest in: plain squares, "
          "squares weighted by gradients, or a layer's outputs");
    visit("examples", self.examples, InRange{1, 1e6},
          "examples of the training split that this is found out with");
    visit("from_largest", self.from_largest, AnyValue{},
          "cut students of a search out of the space's largest architecture, "
          "trained once, where they can be (heads keep their dimension: list "
          "one in space.head_dim), and train the others from the start");
    visit("rounds", self.rounds, InRange{1, 1000},
          "in how many goes it becomes smaller, each by the same share of what "
          "is left and trained before the next");
    visit("steps", self.steps, InRange{0, 1e8},
          "steps of training of all rounds together, guided by the network "
          "before; 0: none");
    visit("learning_rate", self.learning_rate, InRange{1e-8, 10},
          "their peak rate");
  }
};

// Throws Error{kUsage}, naming what differs, unless `smaller` can be cut out of
// `larger`: a stem that is the same but for a smaller d_model, the token
// table's precision and rank and what is computed in, no more blocks, in each
// block that is left the same kinds with at most as many heads (of the same
// dimension) and neurons, and a rank only where `larger` has none. Heads that
// share keys, project the tokens or look at a source stay as they are, and so
// does d_model under sinusoids, which are another table for each, and under a
// table of a rank.
void CheckCanShrink(const Architecture& larger, const Architecture& smaller);
bool CanShrink(const Architecture& larger, const Architecture& smaller);

// False where heads share keys, or features or projections of the tokens.
bool HeadsCanGo(const AttentionSpec& attention);

// The weights of `smaller`, f32, cut out of those of `larger`: the blocks, then
// of each the heads and neurons, and of the stream the channels that matter
// most stay, in their order, and layers of a rank become the nearest product. A
// token table of a rank stays whole here (FactorTable).
// Without ranks the network computes exactly what the larger one computes with
// the rest masked. Masked channels are 0 in tables and in norms' outputs, and
// norms take their mean and variance over the channels that stay; of each head
// of cross-attention, which gets narrower with the stream, the masked
// dimensions add nothing to scores and outputs.
// `data` are examples of the training split; `seed` is for random importance.
NamedTensors ShrinkNetwork(const Architecture& larger,
                           const Architecture& smaller, const TaskShape& task,
                           const NamedTensors& weights, const TaskData& data,
                           const CompressionOptions& options,
                           std::uint64_t seed);

// BlockSpec.head_dim of heads of this dimension: 0 where d_model says it, so
// that an architecture has one spelling.
std::int64_t SpelledHeadDim(const StemSpec& stem,
                            const AttentionSpec& attention,
                            std::int64_t head_dim);

// An architecture, or its weights, without one block, named as its weights are
// ("encoder.0"); those behind it move up. Requires: there is such a block.
Architecture WithoutBlock(Architecture architecture, const std::string& name);
NamedTensors WithoutBlock(const NamedTensors& weights, const std::string& name);

}  // namespace hone
