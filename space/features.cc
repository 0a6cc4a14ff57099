#include "space/features.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "space/block_layers.h"
#include "space/cost.h"

namespace hone {
namespace {

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

// How often each of a list of words was met, and with what weight.
class Counts {
 public:
  explicit Counts(const std::vector<std::string>& words) {
    for (const std::string& word : words) counts_[word] = 0;
  }
  void Add(const std::string& word, double weight = 1) {
    counts_[word] += weight;
  }
  void AppendTo(std::vector<double>& features) const {
    for (const auto& [word, count] : counts_) features.push_back(count);
  }

 private:
  std::map<std::string, double> counts_;
};

void AppendStem(const SearchSpaceOptions& options, const StemSpec& stem,
                std::vector<double>& features) {
  features.push_back(Log(stem.d_model));
  features.push_back(Log(stem.embedding_rank));
  const auto which = [&](const std::vector<std::string>& choices,
                         const std::string& chosen) {
    Counts counts(choices);
    counts.Add(chosen);
    counts.AppendTo(features);
  };
  which(options.positions, Name(stem.positions));
  which(options.norm, Name(stem.norm));
  which(options.norm_place, Name(stem.norm_place));
  which(options.output, Name(stem.output));
  which(options.embedding, Name(stem.embedding));
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

void AppendBlocks(const SearchSpaceOptions& options,
                  const Architecture& architecture,
                  std::vector<double>& features) {
  std::vector<double> attention(std::variant_size_v<AttentionSpec>);
  Counts activation(options.activation);
  Counts products(options.attention_products);
  Counts precision(options.precision);
  double heads = 0, kv_heads = 0, head_dims = 0, reach = 0, widths = 0,
         ranks = 0, cross = 0;
  for (const BlockSpec& block : AllBlocks(architecture)) {
    heads += Log(Heads(block.attention));
    kv_heads += Log(KeyValueHeads(block.attention));
    head_dims += Log(HeadDim(architecture.stem, block));
    reach += Log(Reach(block.attention));
    widths += Log(block.feed_forward.width);
    ranks += Log(block.rank);
    if (block.cross) cross += Log(block.cross->layers);
    ++attention[block.attention.index()];
    activation.Add(Name(block.feed_forward.activation));
    products.Add(Name(block.products));
    for (const LinearRole role : LinearRolesOf(block)) {
      const auto [in, out] = LinearSizeOf(architecture.stem, block, role);
      precision.Add(Name(PrecisionOf(block, role)),
                    static_cast<double>(IsFactored(block.rank, in, out)
                                            ? block.rank * (in + out)
                                            : in * out));
    }
  }
  features.insert(features.end(), attention.begin(), attention.end());
  features.insert(features.end(),
                  {heads, kv_heads, head_dims, reach, widths, ranks, cross});
  for (const Counts& counts : {activation, products, precision}) {
    counts.AppendTo(features);
  }
}

}  // namespace

std::vector<double> Features(const SearchSpace& space,
                             const Architecture& architecture) {
  std::vector<double> features = {
      Log(static_cast<std::int64_t>(architecture.encoder.size())),
      Log(static_cast<std::int64_t>(architecture.decoder.size()))};
  AppendStem(space.options(), architecture.stem, features);
  AppendCost(space.task(), architecture, features);
  AppendBlocks(space.options(), architecture, features);
  return features;
}

}  // namespace hone
