#include "space/encoding.h"

#include <algorithm>

#include "space/base/error.h"
#include "space/block_layers.h"

namespace hone {
namespace {

constexpr std::size_t kStemGenes = 10;
constexpr std::size_t kBlockGenes = 5;  // of every space

template <typename T>
int IndexOf(const std::vector<T>& choices, const T& value) {
  const auto found = std::find(choices.begin(), choices.end(), value);
  HONE_CHECK(found != choices.end());
  return static_cast<int>(found - choices.begin());
}

template <typename T>
const T& At(const std::vector<T>& choices, int index) {
  if (index < 0 || static_cast<std::size_t>(index) >= choices.size()) {
    throw Error(ErrorCode::kUsage,
                "gene " + std::to_string(index) + " is out of range; " +
                    std::to_string(choices.size()) + " choices exist");
  }
  return choices[static_cast<std::size_t>(index)];
}

std::size_t MostLayers(const std::vector<std::int64_t>& layers) {
  return static_cast<std::size_t>(
      *std::max_element(layers.begin(), layers.end()));
}

const std::vector<LinearRole>& AllRoles() {
  static const std::vector<LinearRole> roles = [] {
    std::vector<LinearRole> all;
    for (const std::string& name : NamesOf<LinearRole>()) {
      all.push_back(Parse<LinearRole>(name));
    }
    return all;
  }();
  return roles;
}

bool Searched(const std::vector<std::int64_t>& choices) {
  return choices.size() > 1;
}

std::size_t BlockGenes(const SearchSpace& space) {
  const SearchSpaceOptions& options = space.options();
  return kBlockGenes + Searched(options.head_dim) +
         (options.attention_products.size() > 1) + Searched(options.rank) +
         (space.PrecisionPerLinear() ? AllRoles().size() : 0);
}

// What is behind the genes of every space. The block before rank and
// precisions decides what they may be.
void EncodeRest(const SearchSpace& space, const StemSpec& stem,
                const BlockSpec& block, std::vector<int>& genes) {
  const SearchSpaceOptions& options = space.options();
  if (Searched(options.head_dim)) {
    genes.push_back(
        IndexOf(space.HeadDimChoices(stem, block.attention), block.head_dim));
  }
  if (options.attention_products.size() > 1) {
    genes.push_back(
        IndexOf(space.ProductChoices(block.attention), block.products));
  }
  if (Searched(options.rank)) {
    genes.push_back(IndexOf(space.RankChoices(stem, block), block.rank));
  }
  if (!space.PrecisionPerLinear()) return;
  const LinearPrecisions precisions = PrecisionsOf(block);
  for (const LinearRole role : AllRoles()) {
    const auto found = precisions.find(role);
    genes.push_back(found == precisions.end()
                        ? -1
                        : IndexOf(options.precision, Name(found->second)));
  }
}

void DecodeRest(const SearchSpace& space, const StemSpec& stem, const int* gene,
                BlockSpec& block) {
  const SearchSpaceOptions& options = space.options();
  const auto next = [&](const auto& choices, bool searched) {
    return searched ? At(choices, *gene++) : choices.front();
  };
  block.head_dim = next(space.HeadDimChoices(stem, block.attention),
                        Searched(options.head_dim));
  block.products = next(space.ProductChoices(block.attention),
                        options.attention_products.size() > 1);
  block.rank = next(space.RankChoices(stem, block), Searched(options.rank));
  if (!space.PrecisionPerLinear()) return;
  LinearPrecisions precisions;
  for (const LinearRole role : LinearRolesOf(block)) {
    precisions[role] = ParsePrecision(
        At(options.precision, gene[static_cast<std::size_t>(role)]));
  }
  SetPrecisions(precisions, block);
}

void EncodeBlocks(const SearchSpace& space, const Architecture& architecture,
                  bool decoder, std::vector<int>& genes) {
  const SearchSpaceOptions& options = space.options();
  const auto attention = space.AttentionChoices(architecture.stem, decoder);
  const auto crosses = space.CrossChoices(
      architecture.stem, decoder ? architecture.encoder.size() : 0);
  for (const BlockSpec& block :
       decoder ? architecture.decoder : architecture.encoder) {
    genes.push_back(IndexOf(attention, block.attention));
    genes.push_back(IndexOf(options.feed_forward, block.feed_forward.width));
    genes.push_back(
        IndexOf(options.activation, Name(block.feed_forward.activation)));
    genes.push_back(IndexOf(options.precision,
                            Name(PrecisionOf(block, LinearRole::kQuery))));
    genes.push_back(IndexOf(crosses, block.cross));
    EncodeRest(space, architecture.stem, block, genes);
  }
}

std::vector<BlockSpec> DecodeBlocks(const SearchSpace& space,
                                    const Architecture& around, bool decoder,
                                    std::size_t layers, const int* gene) {
  const SearchSpaceOptions& options = space.options();
  const auto attention = space.AttentionChoices(around.stem, decoder);
  const auto crosses =
      space.CrossChoices(around.stem, decoder ? around.encoder.size() : 0);
  std::vector<BlockSpec> blocks;
  for (std::size_t i = 0; i < layers; ++i, gene += BlockGenes(space)) {
    blocks.push_back({At(attention, gene[0]),
                      {At(options.feed_forward, gene[1]),
                       Parse<Activation>(At(options.activation, gene[2]))},
                      ParsePrecision(At(options.precision, gene[3])),
                      At(crosses, gene[4])});
    DecodeRest(space, around.stem, gene + kBlockGenes, blocks.back());
  }
  return blocks;
}

}  // namespace

std::vector<int> Encode(const SearchSpace& space,
                        const Architecture& architecture) {
  const SearchSpaceOptions& options = space.options();
  const StemSpec& stem = architecture.stem;
  std::vector<int> genes = {
      IndexOf(options.d_model, stem.d_model),
      IndexOf(options.positions, Name(stem.positions)),
      IndexOf(options.norm, Name(stem.norm)),
      IndexOf(options.norm_place, Name(stem.norm_place)),
      IndexOf(options.output, Name(stem.output)),
      IndexOf(space.EncoderLayers(),
              static_cast<std::int64_t>(architecture.encoder.size())),
      IndexOf(space.DecoderLayers(),
              static_cast<std::int64_t>(architecture.decoder.size())),
      IndexOf(options.embedding, Name(stem.embedding)),
      IndexOf(space.EmbeddingRanks(stem.d_model), stem.embedding_rank),
      IndexOf(options.compute, Name(stem.compute))};
  EncodeBlocks(space, architecture, false, genes);
  const std::size_t encoder = MostLayers(space.EncoderLayers());
  genes.resize(kStemGenes + BlockGenes(space) * encoder, -1);
  EncodeBlocks(space, architecture, true, genes);
  genes.resize(kStemGenes + BlockGenes(space) *
                                (encoder + MostLayers(space.DecoderLayers())),
               -1);
  return genes;
}

Architecture Decode(const SearchSpace& space, const std::vector<int>& genes) {
  const SearchSpaceOptions& options = space.options();
  const std::size_t encoder = MostLayers(space.EncoderLayers());
  const std::size_t needed =
      kStemGenes +
      BlockGenes(space) * (encoder + MostLayers(space.DecoderLayers()));
  if (genes.size() != needed) {
    throw Error(ErrorCode::kUsage, std::to_string(genes.size()) + " genes; " +
                                       std::to_string(needed) + " are needed");
  }
  Architecture architecture;
  architecture.stem = {At(options.d_model, genes[0]),
                       Parse<Positions>(At(options.positions, genes[1])),
                       Parse<Norm>(At(options.norm, genes[2])),
                       Parse<NormPlace>(At(options.norm_place, genes[3])),
                       Parse<OutputEmbedding>(At(options.output, genes[4]))};
  architecture.stem.embedding = ParsePrecision(At(options.embedding, genes[7]));
  architecture.stem.embedding_rank =
      At(space.EmbeddingRanks(architecture.stem.d_model), genes[8]);
  architecture.stem.compute = Parse<Compute>(At(options.compute, genes[9]));
  architecture.encoder = DecodeBlocks(
      space, architecture, false,
      static_cast<std::size_t>(At(space.EncoderLayers(), genes[5])),
      genes.data() + kStemGenes);
  architecture.decoder = DecodeBlocks(
      space, architecture, true,
      static_cast<std::size_t>(At(space.DecoderLayers(), genes[6])),
      genes.data() + kStemGenes + BlockGenes(space) * encoder);
  return architecture;
}

}  // namespace hone
