#include "space/encoding.h"

#include <algorithm>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::size_t kStemGenes = 2;
constexpr std::size_t kBlockGenes = 3;

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

std::size_t GeneCount(const SearchSpaceOptions& options) {
  return kStemGenes +
         kBlockGenes * static_cast<std::size_t>(*std::max_element(
                           options.layers.begin(), options.layers.end()));
}

}  // namespace

std::vector<int> Encode(const SearchSpace& space,
                        const Architecture& architecture) {
  const SearchSpaceOptions& options = space.options();
  const std::int64_t d_model = architecture.stem.d_model;
  const std::vector<AttentionSpec> attention = space.AttentionChoices(d_model);
  std::vector<int> genes = {
      IndexOf(options.d_model, d_model),
      IndexOf(options.layers,
              static_cast<std::int64_t>(architecture.blocks.size()))};
  for (const BlockSpec& block : architecture.blocks) {
    genes.push_back(IndexOf(attention, block.attention));
    genes.push_back(IndexOf(options.feed_forward, block.feed_forward.width));
    genes.push_back(
        IndexOf(options.precision, std::string(Name(block.precision))));
  }
  genes.resize(GeneCount(options), -1);
  return genes;
}

Architecture Decode(const SearchSpace& space, const std::vector<int>& genes) {
  const SearchSpaceOptions& options = space.options();
  if (genes.size() != GeneCount(options)) {
    throw Error(ErrorCode::kUsage, std::to_string(genes.size()) + " genes; " +
                                       std::to_string(GeneCount(options)) +
                                       " are needed");
  }
  Architecture architecture;
  architecture.stem.d_model = At(options.d_model, genes[0]);
  const auto layers = static_cast<std::size_t>(At(options.layers, genes[1]));
  const std::vector<AttentionSpec> attention =
      space.AttentionChoices(architecture.stem.d_model);
  for (std::size_t i = 0; i < layers; ++i) {
    const int* gene = &genes[kStemGenes + kBlockGenes * i];
    architecture.blocks.push_back(
        {At(attention, gene[0]),
         {At(options.feed_forward, gene[1])},
         ParsePrecision(At(options.precision, gene[2]))});
  }
  return architecture;
}

}  // namespace hone
