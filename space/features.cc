#include "space/features.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>

#include "space/block_layers.h"
#include "space/cost.h"

namespace hone {
namespace {

constexpr std::size_t kKinds = std::variant_size_v<AttentionSpec>;

double Log(std::int64_t count) {
  return std::log(1 + static_cast<double>(count));
}

// The number of a kind that has one: its window, stride, rank or features.
std::int64_t Reach(const AttentionSpec& attention) {
  return std::visit(
      [](const auto& kind) -> std::int64_t {
        if constexpr (requires { kind.window; }) return kind.window;
        if constexpr (requires { kind.stride; }) return kind.stride;
        if constexpr (requires { kind.rank; }) return kind.rank;
        if constexpr (requires { kind.features; }) return kind.features;
        return 0;
      },
      attention);
}

// A sum for each choice of a list.
template <typename Choice>
class Sums {
 public:
  explicit Sums(const std::vector<Choice>& choices)
      : choices_(choices), sums_(choices.size()) {}
  void Add(const Choice& choice, double term = 1) {
    const auto found = std::find(choices_.begin(), choices_.end(), choice);
    if (found == choices_.end()) return;
    sums_[static_cast<std::size_t>(found - choices_.begin())] += term;
  }
  void AppendTo(std::vector<double>& features) const {
    features.insert(features.end(), sums_.begin(), sums_.end());
  }

 private:
  const std::vector<Choice>& choices_;
  std::vector<double> sums_;
};

template <typename Choice>
void AppendChoice(const std::vector<Choice>& choices, const Choice& chosen,
                  std::vector<double>& features, double weight = 1) {
  Sums sums(choices);
  sums.Add(chosen, weight);
  sums.AppendTo(features);
}

void AppendStem(const SearchSpaceOptions& options, const StemSpec& stem,
                std::size_t blocks, std::vector<double>& features) {
  const auto width = static_cast<double>(stem.d_model);
  features.insert(features.end(), {width, width * width, Log(stem.d_model),
                                   Log(stem.embedding_rank)});
  AppendChoice(options.d_model, stem.d_model, features);
  AppendChoice(options.d_model, stem.d_model, features,
               static_cast<double>(blocks));
  AppendChoice(options.positions, Name(stem.positions), features);
  AppendChoice(options.norm, Name(stem.norm), features);
  AppendChoice(options.norm_place, Name(stem.norm_place), features);
  AppendChoice(options.output, Name(stem.output), features);
  AppendChoice(options.embedding, Name(stem.embedding), features);
  AppendChoice(options.compute, Name(stem.compute), features);
}

void AppendCost(const TaskShape& task, const Architecture& architecture,
                std::vector<double>& features) {
  const Cost cost = CostOf(architecture, task, 1, task.max_tokens);
  for (const std::int64_t one :
       {cost.parameters, cost.multiply_adds, cost.weight_bytes,
        cost.activation_bytes, cost.cache_bytes}) {
    features.push_back(Log(one));
  }
}

void AppendLinears(const SearchSpaceOptions& options, const StemSpec& stem,
                   const std::vector<BlockSpec>& blocks,
                   std::vector<double>& features) {
  std::vector<Precision> precisions;
  for (const std::string& word : options.precision) {
    precisions.push_back(ParsePrecision(word));
  }
  Sums layers(precisions), weights(precisions), sides(precisions);
  for (const BlockSpec& block : blocks) {
    for (const LinearRole role : LinearRolesOf(block)) {
      const auto [in, out] = LinearSizeOf(stem, block, role);
      const Precision precision = PrecisionOf(block, role);
      layers.Add(precision);
      weights.Add(precision, static_cast<double>(IsFactored(block.rank, in, out)
                                                     ? block.rank * (in + out)
                                                     : in * out));
      sides.Add(precision, static_cast<double>(in + out));
    }
  }
  for (const auto& sums : {layers, weights, sides}) sums.AppendTo(features);
}

void AppendAttention(const StemSpec& stem, const std::vector<BlockSpec>& blocks,
                     std::vector<double>& features) {
  std::vector<double> present(kKinds), count(kKinds), heads(kKinds),
      widths(kKinds);
  for (const BlockSpec& block : blocks) {
    const std::size_t kind = block.attention.index();
    const auto own = static_cast<double>(Heads(block.attention));
    present[kind] = 1;
    ++count[kind];
    heads[kind] += own;
    widths[kind] += own * static_cast<double>(HeadDim(stem, block));
  }
  for (const auto& sums : {present, count, heads, widths}) {
    features.insert(features.end(), sums.begin(), sums.end());
  }
}

void AppendBlocks(const SearchSpaceOptions& options, const StemSpec& stem,
                  const std::vector<BlockSpec>& blocks,
                  std::vector<double>& features) {
  Sums activation(options.activation);
  Sums products(options.attention_products);
  double kv_heads = 0, head_dims = 0, reach = 0, widths = 0, ranks = 0,
         cross = 0, changes = 0;
  const BlockSpec* before = nullptr;
  for (const BlockSpec& block : blocks) {
    kv_heads += Log(KeyValueHeads(block.attention));
    head_dims += Log(HeadDim(stem, block));
    reach += Log(Reach(block.attention));
    widths += Log(block.feed_forward.width);
    ranks += Log(block.rank);
    if (block.cross) cross += Log(block.cross->layers);
    activation.Add(Name(block.feed_forward.activation));
    products.Add(Name(block.products));
    if (before && before->precision != block.precision) ++changes;
    before = &block;
  }
  features.insert(features.end(),
                  {kv_heads, head_dims, reach, widths, ranks, cross, changes});
  activation.AppendTo(features);
  products.AppendTo(features);
}

}  // namespace

std::vector<double> Features(const SearchSpace& space,
                             const Architecture& architecture) {
  const SearchSpaceOptions& options = space.options();
  const StemSpec& stem = architecture.stem;
  const std::vector<BlockSpec> blocks = AllBlocks(architecture);
  std::vector<double> features = {
      static_cast<double>(architecture.encoder.size()),
      static_cast<double>(architecture.decoder.size())};
  AppendStem(options, stem, blocks.size(), features);
  AppendCost(space.task(), architecture, features);
  AppendLinears(options, stem, blocks, features);
  AppendAttention(stem, blocks, features);
  AppendBlocks(options, stem, blocks, features);
  return features;
}

}  // namespace hone
