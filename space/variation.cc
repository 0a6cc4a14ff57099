#include "space/variation.h"

#include <algorithm>

#include "space/block_layers.h"

namespace hone {
namespace {

constexpr int kMaxTries = 100;

// A choice of the same kind; of any kind where none is left.
const AttentionSpec& Similar(const std::vector<AttentionSpec>& choices,
                             const AttentionSpec& wanted, Rng& rng) {
  std::vector<std::size_t> alike;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (AttentionName(choices[i]) == AttentionName(wanted)) alike.push_back(i);
  }
  return alike.empty() ? rng.Pick(choices) : choices[rng.Pick(alike)];
}

template <typename T>
bool Has(const std::vector<T>& choices, const T& value) {
  return std::find(choices.begin(), choices.end(), value) != choices.end();
}

template <typename T>
void MakeFit(const std::vector<T>& choices, T& value, Rng& rng) {
  if (Has(choices, value)) return;
  value = choices.size() == 1 ? choices.front() : rng.Pick(choices);
}

// Redraws what does not fit the stem, the other side's depth or the rest of the
// block.
void Repair(const SearchSpace& space, Architecture& child, Rng& rng) {
  const auto ranks = space.EmbeddingRanks(child.stem.d_model);
  if (!Has(ranks, child.stem.embedding_rank)) {
    child.stem.embedding_rank = rng.Pick(ranks);
  }
  for (const bool decoder : {false, true}) {
    const auto attention = space.AttentionChoices(child.stem, decoder);
    const auto crosses =
        space.CrossChoices(child.stem, decoder ? child.encoder.size() : 0);
    for (BlockSpec& block : decoder ? child.decoder : child.encoder) {
      if (!Has(attention, block.attention)) {
        block.attention = Similar(attention, block.attention, rng);
      }
      if (!Has(crosses, block.cross)) block.cross = rng.Pick(crosses);
      MakeFit(space.HeadDimChoices(child.stem, block.attention), block.head_dim,
              rng);
      MakeFit(space.ProductChoices(block.attention), block.products, rng);
      MakeFit(space.RankChoices(child.stem, block), block.rank, rng);
      SetPrecisions(PrecisionsOf(block), block);
    }
  }
}

void Resize(std::vector<BlockSpec>& blocks, std::int64_t layers, Rng& rng) {
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

// Genes of the stem and the depths.
std::size_t StemGenes(const SearchSpace& space) {
  const SearchSpaceOptions& options = space.options();
  return 7 + (options.embedding.size() > 1) +
         (options.embedding_rank.size() > 1) + (options.compute.size() > 1);
}

// Of a block: attention, width, activation, cross-attention, precisions and
// what else the space leaves a choice of.
std::size_t GenesOf(const SearchSpace& space, const BlockSpec& block) {
  const SearchSpaceOptions& options = space.options();
  return 4 + (space.PrecisionPerLinear() ? LinearRolesOf(block).size() : 1) +
         (options.head_dim.size() > 1) +
         (options.attention_products.size() > 1) + (options.rank.size() > 1);
}

template <typename Chosen>
void RedrawPrecisions(const SearchSpace& space, BlockSpec& block, Rng& rng,
                      Chosen chosen) {
  LinearPrecisions precisions = PrecisionsOf(block);
  for (auto& [role, precision] : precisions) {
    if (chosen()) precision = space.SamplePrecision(rng);
  }
  SetPrecisions(precisions, block);
}

// Redraws what `chosen` says, asked once for each gene.
template <typename Chosen>
void Redraw(const SearchSpace& space, Architecture& child, Rng& rng,
            Chosen chosen) {
  const StemSpec fresh_stem = rng.Pick(space.StemChoices());
  if (chosen()) child.stem.d_model = fresh_stem.d_model;
  if (chosen()) child.stem.positions = fresh_stem.positions;
  if (chosen()) child.stem.norm = fresh_stem.norm;
  if (chosen()) child.stem.norm_place = fresh_stem.norm_place;
  if (chosen()) child.stem.output = fresh_stem.output;
  const SearchSpaceOptions& options = space.options();
  if (options.embedding.size() > 1 && chosen()) {
    child.stem.embedding = fresh_stem.embedding;
  }
  if (options.embedding_rank.size() > 1 && chosen()) {
    child.stem.embedding_rank = fresh_stem.embedding_rank;
  }
  if (options.compute.size() > 1 && chosen()) {
    child.stem.compute = fresh_stem.compute;
  }
  if (chosen()) Resize(child.encoder, rng.Pick(space.EncoderLayers()), rng);
  if (chosen()) Resize(child.decoder, rng.Pick(space.DecoderLayers()), rng);
  for (const bool decoder : {false, true}) {
    for (BlockSpec& block : decoder ? child.decoder : child.encoder) {
      const BlockSpec fresh = space.SampleBlock(child, decoder, rng);
      if (chosen()) block.attention = fresh.attention;
      if (chosen()) block.feed_forward.width = fresh.feed_forward.width;
      if (chosen()) {
        block.feed_forward.activation = fresh.feed_forward.activation;
      }
      if (space.PrecisionPerLinear()) {
        RedrawPrecisions(space, block, rng, chosen);
      } else if (chosen()) {
        block.precision = fresh.precision;
      }
      if (chosen()) block.cross = fresh.cross;
      if (options.head_dim.size() > 1 && chosen()) {
        block.head_dim = fresh.head_dim;
      }
      if (options.attention_products.size() > 1 && chosen()) {
        block.products = fresh.products;
      }
      if (options.rank.size() > 1 && chosen()) block.rank = fresh.rank;
    }
  }
  Repair(space, child, rng);
}

bool Usable(const SearchSpace& space, const Architecture& child,
            const Architecture& parent) {
  return child != parent && space.Contains(child);
}

// `layers` blocks, each from one of the parents at the same relative depth.
std::vector<BlockSpec> Mixed(const std::vector<BlockSpec>& a,
                             const std::vector<BlockSpec>& b, Rng& rng) {
  const std::size_t layers = rng.Bernoulli(0.5) ? a.size() : b.size();
  std::vector<BlockSpec> blocks;
  for (std::size_t i = 0; i < layers; ++i) {
    const std::vector<BlockSpec>& parent = rng.Bernoulli(0.5) ? a : b;
    blocks.push_back(parent[i * parent.size() / layers]);
  }
  return blocks;
}

}  // namespace

Architecture Mutate(const SearchSpace& space, const Architecture& parent,
                    double rate, Rng& rng) {
  for (int attempt = 0; attempt < kMaxTries; ++attempt) {
    Architecture child = parent;
    std::size_t genes = StemGenes(space);
    for (const BlockSpec& block : AllBlocks(parent)) {
      genes += GenesOf(space, block);
    }
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
    child.encoder = Mixed(a.encoder, b.encoder, rng);
    child.decoder = Mixed(a.decoder, b.decoder, rng);
    Repair(space, child, rng);
    if (Usable(space, child, a) && child != b) return child;
  }
  return Mutate(space, a, 0.1, rng);
}

}  // namespace hone
