// What SearchSpace says of single blocks.

#include <algorithm>
#include <cmath>
#include <limits>

#include "space/block_layers.h"
#include "space/choices.h"
#include "space/search_space.h"

namespace hone {

const std::vector<std::string>& SearchSpace::AttentionWords(
    bool decoder) const {
  return decoder && !options_.decoder_attention.empty()
             ? options_.decoder_attention
             : options_.attention;
}

std::vector<AttentionSpec> SearchSpace::AttentionChoices(const StemSpec& stem,
                                                         bool decoder) const {
  std::vector<AttentionSpec> choices;
  for (const std::string& word : AttentionWords(decoder)) {
    for (const std::int64_t heads : options_.heads) {
      if (stem.d_model % heads != 0) continue;
      const auto choice = WithHeads(ParseAttention(word), heads);
      if (choice && !HeadDimChoices(stem, *choice).empty() &&
          std::find(choices.begin(), choices.end(), *choice) == choices.end()) {
        choices.push_back(*choice);
      }
    }
  }
  return choices;
}

std::vector<std::optional<CrossAttentionSpec>> SearchSpace::CrossChoices(
    const StemSpec& stem, std::size_t encoder_layers) const {
  if (encoder_layers == 0) return {std::nullopt};
  std::vector<std::optional<CrossAttentionSpec>> choices;
  for (const std::int64_t heads : options_.heads) {
    if (stem.d_model % heads != 0) continue;
    for (const std::int64_t layers : options_.cross_layers) {
      if (layers > static_cast<std::int64_t>(encoder_layers)) continue;
      choices.emplace_back(CrossAttentionSpec{heads, layers});
    }
  }
  return choices;
}

std::vector<std::int64_t> SearchSpace::HeadDimChoices(
    const StemSpec& stem, const AttentionSpec& attention) const {
  const std::int64_t usual = stem.d_model / Heads(attention);
  std::vector<std::int64_t> choices;
  for (const std::int64_t listed : options_.head_dim) {
    const std::int64_t head_dim = listed == usual ? 0 : listed;
    const bool odd = (head_dim > 0 ? head_dim : usual) % 2 != 0;
    if (odd && stem.positions == Positions::kRotary) continue;
    if (!Has(choices, head_dim)) choices.push_back(head_dim);
  }
  return choices;
}

std::vector<AttentionProducts> SearchSpace::ProductChoices(
    const AttentionSpec& attention) const {
  if (!CanMultiplyInA8(attention)) return {AttentionProducts::kF32};
  std::vector<AttentionProducts> choices;
  for (const std::string& word : options_.attention_products) {
    choices.push_back(Parse<AttentionProducts>(word));
  }
  return choices;
}

std::vector<std::int64_t> SearchSpace::RankChoices(
    const StemSpec& stem, const BlockSpec& block) const {
  std::vector<std::int64_t> choices;
  for (const std::int64_t listed : options_.rank) {
    BlockSpec with = block;
    with.rank = listed;
    const std::int64_t rank = HasFactoredLayer(stem, with) ? listed : 0;
    if (!Has(choices, rank)) choices.push_back(rank);
  }
  return choices;
}

bool SearchSpace::PrecisionPerLinear() const {
  return options_.precision_of == "linear";
}

Precision SearchSpace::SamplePrecision(Rng& rng) const {
  return ParsePrecision(rng.Pick(options_.precision));
}

std::vector<BlockSpec> SearchSpace::BlockShapes(const StemSpec& stem,
                                                std::size_t encoder_layers,
                                                bool decoder) const {
  std::vector<BlockSpec> shapes;
  BlockSpec block;
  block.precision = ParsePrecision(options_.precision.front());
  const auto crosses = CrossChoices(stem, decoder ? encoder_layers : 0);
  const auto add_rest = [&] {
    for (const auto& cross : crosses) {
      block.cross = cross;
      for (const std::int64_t head_dim :
           HeadDimChoices(stem, block.attention)) {
        block.head_dim = head_dim;
        for (const AttentionProducts products :
             ProductChoices(block.attention)) {
          block.products = products;
          for (const std::int64_t rank : RankChoices(stem, block)) {
            shapes.push_back(block);
            shapes.back().rank = rank;
          }
        }
      }
    }
  };
  for (const AttentionSpec& attention : AttentionChoices(stem, decoder)) {
    block.attention = attention;
    for (const std::int64_t width : options_.feed_forward) {
      for (const std::string& activation : options_.activation) {
        block.feed_forward = {width, Parse<Activation>(activation)};
        add_rest();
      }
    }
  }
  return shapes;
}

std::vector<BlockSpec> SearchSpace::BlockChoices(const StemSpec& stem,
                                                 std::size_t encoder_layers,
                                                 bool decoder) const {
  std::vector<Precision> precisions;
  for (const std::string& word : options_.precision) {
    precisions.push_back(ParsePrecision(word));
  }
  std::vector<BlockSpec> choices;
  for (const BlockSpec& shape : BlockShapes(stem, encoder_layers, decoder)) {
    const std::vector<LinearRole> roles = LinearRolesOf(shape);
    ForEachList(precisions, PrecisionPerLinear() ? roles.size() : 1,
                [&](const std::vector<Precision>& list) {
                  LinearPrecisions all;
                  for (std::size_t i = 0; i < roles.size(); ++i) {
                    all[roles[i]] = list[list.size() == 1 ? 0 : i];
                  }
                  choices.push_back(shape);
                  SetPrecisions(all, choices.back());
                });
  }
  return choices;
}

double SearchSpace::CountBlocks(const StemSpec& stem,
                                std::size_t encoder_layers,
                                bool decoder) const {
  const auto precisions = static_cast<double>(options_.precision.size());
  double count = 0;
  for (const BlockSpec& shape : BlockShapes(stem, encoder_layers, decoder)) {
    const auto layers = static_cast<double>(LinearRolesOf(shape).size());
    count += PrecisionPerLinear() ? std::pow(precisions, layers) : precisions;
  }
  return count;
}

bool SearchSpace::ContainsBlock(const Architecture& architecture,
                                const BlockSpec& block, bool decoder) const {
  const StemSpec& stem = architecture.stem;
  return Has(AttentionChoices(stem, decoder), block.attention) &&
         Has(CrossChoices(stem, decoder ? architecture.encoder.size() : 0),
             block.cross) &&
         Has(options_.feed_forward, block.feed_forward.width) &&
         Has(options_.activation, Name(block.feed_forward.activation)) &&
         Has(HeadDimChoices(stem, block.attention), block.head_dim) &&
         Has(ProductChoices(block.attention), block.products) &&
         Has(RankChoices(stem, block), block.rank) && ContainsPrecisions(block);
}

bool SearchSpace::ContainsPrecisions(const BlockSpec& block) const {
  if (!PrecisionPerLinear() && !block.linears.empty()) return false;
  BlockSpec canonical = block;
  SetPrecisions(PrecisionsOf(block), canonical);
  const LinearPrecisions precisions = PrecisionsOf(block);
  return canonical == block &&
         std::all_of(precisions.begin(), precisions.end(),
                     [&](const auto& entry) {
                       return Has(options_.precision, Name(entry.second));
                     });
}

BlockSpec SearchSpace::SampleBlock(const Architecture& around, bool decoder,
                                   Rng& rng) const {
  BlockSpec block;
  block.attention = rng.Pick(AttentionChoices(around.stem, decoder));
  block.feed_forward.width = rng.Pick(options_.feed_forward);
  block.feed_forward.activation =
      Parse<Activation>(rng.Pick(options_.activation));
  if (!PrecisionPerLinear()) block.precision = SamplePrecision(rng);
  block.cross =
      rng.Pick(CrossChoices(around.stem, decoder ? around.encoder.size() : 0));
  if (PrecisionPerLinear()) {
    LinearPrecisions precisions;
    for (const LinearRole role : LinearRolesOf(block)) {
      precisions[role] = SamplePrecision(rng);
    }
    SetPrecisions(precisions, block);
  }
  // One choice takes no draw, so that what a spec does not search leaves the
  // stream as it was.
  const auto pick = [&](const auto& choices) {
    return choices.size() == 1 ? choices.front() : rng.Pick(choices);
  };
  block.head_dim = pick(HeadDimChoices(around.stem, block.attention));
  block.products = pick(ProductChoices(block.attention));
  block.rank = pick(RankChoices(around.stem, block));
  return block;
}

BlockSpec SearchSpace::ExtremeBlock(const StemSpec& stem,
                                    std::size_t encoder_layers, bool decoder,
                                    bool largest) const {
  BlockSpec made = BlockShapes(stem, encoder_layers, decoder).front();
  for (const AttentionSpec& choice : AttentionChoices(stem, decoder)) {
    const bool better = largest ? Heads(choice) > Heads(made.attention)
                                : Heads(choice) < Heads(made.attention);
    if (better && choice.index() == made.attention.index() &&
        AttentionName(choice) == AttentionName(made.attention)) {
      made.attention = choice;
    }
  }
  if (made.cross) made.cross->heads = Heads(made.attention);
  made.feed_forward.width = Extreme(options_.feed_forward, largest);
  const auto by = [&](const std::vector<std::int64_t>& choices, auto size) {
    const auto smaller = [&](std::int64_t a, std::int64_t b) {
      return size(a) < size(b);
    };
    return largest ? *std::max_element(choices.begin(), choices.end(), smaller)
                   : *std::min_element(choices.begin(), choices.end(), smaller);
  };
  made.head_dim = by(HeadDimChoices(stem, made.attention), [&](auto head_dim) {
    return head_dim > 0 ? head_dim : stem.d_model / Heads(made.attention);
  });
  // A layer without a rank is the largest.
  made.rank = by(RankChoices(stem, made), [](std::int64_t rank) {
    return rank > 0 ? rank : std::numeric_limits<std::int64_t>::max();
  });
  return made;
}

}  // namespace hone
