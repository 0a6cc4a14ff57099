#include "train/compress/sort_channels.h"

#include <algorithm>
#include <numeric>

#include "space/base/error.h"
#include "space/block_layers.h"
#include "space/network/transformer.h"
#include "train/compress/channels.h"
#include "train/compress/shrink.h"

namespace hone {
namespace {

std::vector<std::int64_t> InOrder(std::size_t count) {
  std::vector<std::int64_t> places(count);
  std::iota(places.begin(), places.end(), 0);
  return places;
}

std::vector<std::int64_t> MostImportantFirst(
    const std::vector<double>& scores) {
  std::vector<std::int64_t> places = InOrder(scores.size());
  std::stable_sort(places.begin(), places.end(),
                   [&](std::int64_t a, std::int64_t b) {
                     return scores[static_cast<std::size_t>(a)] >
                            scores[static_cast<std::size_t>(b)];
                   });
  return places;
}

}  // namespace

bool CanSort(const Architecture& architecture) {
  const std::vector<BlockSpec> blocks = AllBlocks(architecture);
  return std::none_of(blocks.begin(), blocks.end(), [&](const BlockSpec& one) {
    return HasFactoredLayer(architecture.stem, one);
  });
}

NamedTensors SortByImportance(const Architecture& architecture,
                              const NamedTensors& weights,
                              const Importance& importance) {
  HONE_CHECK(CanSort(architecture));
  const StemSpec& stem = architecture.stem;
  NamedTensors sorted = weights;
  if (stem.positions != Positions::kSinusoidal && stem.embedding_rank == 0) {
    KeptChannels order{MostImportantFirst(importance.channels), {}};
    for (const auto& [name, scores] : importance.cross) {
      order.cross[name] = InOrder(scores.size());
    }
    sorted = CutChannels(architecture, weights, order);
  }
  for (const auto& [name, block] : NamedBlocks(architecture)) {
    if (HeadsCanGo(block.attention)) {
      KeepHeads(name, stem, block,
                MostImportantFirst(importance.heads.at(name)), sorted);
    }
    KeepNeurons(name, block, MostImportantFirst(importance.neurons.at(name)),
                sorted);
  }
  return sorted;
}

}  // namespace hone
