#include "space/variation.h"

#include <algorithm>

namespace hone {
namespace {

constexpr int kMaxTries = 100;

// Heads must divide the width: keeps the kind and redraws them where not.
void RepairHeads(const SearchSpace& space, Architecture& architecture,
                 Rng& rng) {
  const std::int64_t d_model = architecture.stem.d_model;
  std::vector<std::int64_t> legal;
  for (const std::int64_t heads : space.options().heads) {
    if (d_model % heads == 0) legal.push_back(heads);
  }
  for (BlockSpec& block : architecture.blocks) {
    if (d_model % Heads(block.attention) == 0) continue;
    std::visit([&](auto& kind) { kind.heads = rng.Pick(legal); },
               block.attention);
  }
}

void Resize(Architecture& architecture, std::int64_t layers, Rng& rng) {
  std::vector<BlockSpec>& blocks = architecture.blocks;
  const auto wanted = static_cast<std::size_t>(layers);
  while (blocks.size() > wanted) {
    blocks.erase(blocks.begin() +
                 static_cast<std::ptrdiff_t>(rng.Below(blocks.size())));
  }
  while (blocks.size() < wanted) {
    const auto at = static_cast<std::ptrdiff_t>(rng.Below(blocks.size()));
    const BlockSpec copy = blocks[static_cast<std::size_t>(at)];
    blocks.insert(blocks.begin() + at, copy);
  }
}

// Redraws what `chosen` says, asked once for each gene.
template <typename Chosen>
void Redraw(const SearchSpace& space, Architecture& child, Rng& rng,
            Chosen chosen) {
  const SearchSpaceOptions& options = space.options();
  if (chosen()) child.stem.d_model = rng.Pick(options.d_model);
  if (chosen()) Resize(child, rng.Pick(options.layers), rng);
  for (BlockSpec& block : child.blocks) {
    const BlockSpec fresh = space.SampleBlock(child.stem.d_model, rng);
    if (chosen()) block.attention = fresh.attention;
    if (chosen()) block.feed_forward = fresh.feed_forward;
    if (chosen()) block.precision = fresh.precision;
  }
  RepairHeads(space, child, rng);
}

bool Usable(const SearchSpace& space, const Architecture& child,
            const Architecture& parent) {
  return child != parent && space.Contains(child);
}

// The block of `parent` at the relative depth of block i of n.
const BlockSpec& BlockAt(const Architecture& parent, std::size_t i,
                         std::size_t n) {
  return parent.blocks[i * parent.blocks.size() / n];
}

}  // namespace

Architecture Mutate(const SearchSpace& space, const Architecture& parent,
                    double rate, Rng& rng) {
  for (int attempt = 0; attempt < kMaxTries; ++attempt) {
    Architecture child = parent;
    const std::size_t genes = 2 + 3 * parent.blocks.size();
    const std::size_t forced = rng.Below(genes);
    std::size_t gene = 0;
    Redraw(space, child, rng,
           [&] { return gene++ == forced || rng.Bernoulli(rate); });
    if (Usable(space, child, parent)) return child;
  }
  return space.Sample(rng);
}

Architecture Crossover(const SearchSpace& space, const Architecture& a,
                       const Architecture& b, Rng& rng) {
  for (int attempt = 0; attempt < kMaxTries; ++attempt) {
    Architecture child;
    child.stem = rng.Bernoulli(0.5) ? a.stem : b.stem;
    const std::size_t layers =
        rng.Bernoulli(0.5) ? a.blocks.size() : b.blocks.size();
    for (std::size_t i = 0; i < layers; ++i) {
      child.blocks.push_back(BlockAt(rng.Bernoulli(0.5) ? a : b, i, layers));
    }
    RepairHeads(space, child, rng);
    if (Usable(space, child, a) && child != b) return child;
  }
  return Mutate(space, a, 0.1, rng);
}

}  // namespace hone
