#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/base/tensor_data.h"
#include "space/cost.h"
#include "train/data/task_data.h"

namespace hone {

// How much a network needs its parts, by name of block ("encoder.0").
struct Importance {
  std::map<std::string, std::vector<double>> heads;    // of self-attention
  std::map<std::string, std::vector<double>> neurons;  // of feed-forward
  std::map<std::string, double> blocks;
  // Of the residual stream, one for each of d_model.
  std::vector<double> channels = {};
  // Of cross-attention, its inner dimensions, head by head.
  std::map<std::string, std::vector<double>> cross = {};
};

// The criteria: what is summed over batches of `data` for a unit that would be
// multiplied by a mask m = 1, where L is the mean cross-entropy.
//   taylor  |dL/dm|: the change of L to first order (Michel et al. 2019, 3.1;
//           Molchanov et al. 2017). With W the matrix that reads the unit,
//           dL/dm = sum of W * dL/dW over the columns of the unit
//   fisher  (dL/dm)^2, a diagonal of the Fisher information (Theis et al. 2018)
//   norm    the length of the unit's activations times that of its columns
//   random  a draw from `seed`, the control
// Scores of heads are divided by the length of their block's (Michel et al.).
//
// A channel's mask stands where layers read the stream (StreamReaders): as
// CoFi's z_hidden (Xia et al. 2022, 3.1), whose one vector serves all blocks,
// but on readers alone, behind norms, where a mask of 0 leaves nothing of the
// channel but its share of norms' statistics. dL/dm sums W * dL/dW over the
// rows of all readers; a tied table counts as what it writes, too. `norm` sums
// the squares of the readers (Muralidharan et al. 2024, Minitron, 2.2, weighs
// channels by norms' outputs alone). A dimension within cross-attention is
// masked in the output layer, and by gradients in the query too.
inline std::vector<std::string> ImportanceCriteria() {
  return {"taylor", "fisher", "norm", "random"};
}

Importance FindImportance(const Architecture& architecture,
                          const TaskShape& task, const NamedTensors& weights,
                          const TaskData& data, const std::string& criterion,
                          std::uint64_t seed);

// The sum of squared gradients of each linear layer's weights over batches of
// the data: [out,in] row major, by name of layer.
std::map<std::string, std::vector<double>> SquaredGradients(
    const Architecture& architecture, const TaskShape& task,
    const NamedTensors& weights, const TaskData& data);

}  // namespace hone
