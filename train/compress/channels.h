#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/base/tensor_data.h"

namespace hone {

// The layers that read the residual stream, in the order of the network: query,
// key and value, the first layers of feed-forward, keys and values of
// cross-attention (which read the encoder's stream), and last the classifier or
// output layer, or "embedding" where a table is that too. Their matrices have a
// column for each channel; they see norms' outputs where those come first.
std::vector<std::string> StreamReaders(const Architecture& architecture);

// What stays of a network's width, in order.
struct KeptChannels {
  std::vector<std::int64_t> stream;
  // Of cross-attention, which is as wide as the stream, its inner dimensions:
  // by block, as many of each head.
  std::map<std::string, std::vector<std::int64_t>> cross;
};

// f32 weights with the channels that stay: of tables and readers the columns,
// of norms and of layers that write the stream the elements and rows. Queries
// of cross-attention are scaled by sqrt(E' / E), E' of E dimensions of a head
// being left, so that scores stay what they were. Encoder and decoder keep the
// same channels, since they share the table.
NamedTensors CutChannels(const Architecture& architecture,
                         const NamedTensors& weights, const KeptChannels& kept);

// Keeps these heads of a block's self-attention, named as its weights are
// ("encoder.0"), or these neurons of its feed-forward layer, in this order. In
// `block` are their numbers before. Requires: heads that do not share keys.
void KeepHeads(const std::string& name, const StemSpec& stem,
               const BlockSpec& block, const std::vector<std::int64_t>& heads,
               NamedTensors& weights);
void KeepNeurons(const std::string& name, const BlockSpec& block,
                 const std::vector<std::int64_t>& neurons,
                 NamedTensors& weights);

}  // namespace hone
