#include "train/compress/shrink.h"

#include <algorithm>
#include <numeric>

#include <ATen/ops/tensor.h>

#include "space/base/error.h"
#include "space/network/transformer.h"
#include "train/compress/calibration_run.h"
#include "train/compress/factorize.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

[[noreturn]] void Refuse(const std::string& what) {
  throw Error(ErrorCode::kUsage, "cannot shrink the network: " + what);
}

// The places of the `count` largest scores, in order.
std::vector<std::int64_t> Largest(const std::vector<double>& scores,
                                  std::int64_t count) {
  std::vector<std::int64_t> places(scores.size());
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(),
                   [&](std::int64_t a, std::int64_t b) {
                     return scores[static_cast<std::size_t>(a)] >
                            scores[static_cast<std::size_t>(b)];
                   });
  places.resize(static_cast<std::size_t>(count));
  std::sort(places.begin(), places.end());
  return places;
}

// "encoder.0.attention.query.weight", but not "encoder.norm.weight".
bool IsOfBlock(const std::string& name) {
  for (const std::string side : {"encoder.", "decoder."}) {
    if (name.starts_with(side) && name.size() > side.size()) {
      return name[side.size()] >= '0' && name[side.size()] <= '9';
    }
  }
  return false;
}

at::Tensor Indices(const std::vector<std::int64_t>& places) {
  return at::tensor(places);
}

// The rows of all heads that stay.
std::vector<std::int64_t> HeadRows(const std::vector<std::int64_t>& heads,
                                   std::int64_t head_dim) {
  std::vector<std::int64_t> rows;
  for (const std::int64_t head : heads) {
    for (std::int64_t i = 0; i < head_dim; ++i) {
      rows.push_back(head * head_dim + i);
    }
  }
  return rows;
}

class Shrinking {
 public:
  Shrinking(const Architecture& larger, const Architecture& smaller,
            const NamedTensors& weights, const Importance& importance)
      : larger_(larger),
        smaller_(smaller),
        weights_(weights),
        importance_(importance) {}

  NamedTensors Run() {
    for (const auto& [name, tensor] : weights_) {
      if (!IsOfBlock(name)) result_[name] = tensor;
    }
    CutSide("encoder", larger_.encoder, smaller_.encoder);
    CutSide("decoder", larger_.decoder, smaller_.decoder);
    return std::move(result_);
  }

 private:
  void CutSide(const char* side, const std::vector<BlockSpec>& larger,
               const std::vector<BlockSpec>& smaller) {
    if (larger.empty()) return;
    std::vector<double> scores;
    for (std::size_t i = 0; i < larger.size(); ++i) {
      scores.push_back(importance_.blocks.at(BlockName(side, i)));
    }
    const auto kept =
        Largest(scores, static_cast<std::int64_t>(smaller.size()));
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const auto from = static_cast<std::size_t>(kept[i]);
      CutBlock(BlockName(side, from), larger[from], BlockName(side, i),
               smaller[i]);
    }
  }

  void CutBlock(const std::string& from, const BlockSpec& larger,
                const std::string& to, const BlockSpec& smaller) {
    const std::string prefix = from + ".";
    for (auto entry = weights_.lower_bound(prefix);
         entry != weights_.end() && entry->first.starts_with(prefix); ++entry) {
      result_[to + "." + entry->first.substr(prefix.size())] = entry->second;
    }
    const std::int64_t heads = Heads(smaller.attention);
    if (heads < Heads(larger.attention)) {
      const auto rows = HeadRows(Largest(importance_.heads.at(from), heads),
                                 HeadDim(larger_.stem, larger));
      for (const char* role : kSelfAttentionRoles) {
        Keep(to + ".attention" + role, 0, rows);
      }
      Keep(to + ".attention.output", 1, rows);
    }
    const std::int64_t width = smaller.feed_forward.width;
    if (width < larger.feed_forward.width) {
      const auto neurons = Largest(importance_.neurons.at(from), width);
      Keep(to + ".feed_forward.up", 0, neurons);
      if (larger.feed_forward.activation == Activation::kSwiglu) {
        Keep(to + ".feed_forward.gate", 0, neurons);
      }
      Keep(to + ".feed_forward.down", 1, neurons);
    }
  }

  // Rows of a layer and its bias (axis 0), or columns.
  void Keep(const std::string& layer, std::int64_t axis,
            const std::vector<std::int64_t>& places) {
    const auto cut = [&](const std::string& name) {
      TensorData& tensor = result_.at(name);
      tensor = ToTensorData(
          ToTensor(tensor, at::kCPU).index_select(axis, Indices(places)));
    };
    cut(layer + ".weight");
    if (axis == 0) cut(layer + ".bias");
  }

  const Architecture& larger_;
  const Architecture& smaller_;
  const NamedTensors& weights_;
  const Importance& importance_;
  NamedTensors result_;
};

Architecture WithoutRanks(Architecture architecture) {
  for (auto* blocks : {&architecture.encoder, &architecture.decoder}) {
    for (BlockSpec& block : *blocks) block.rank = 0;
  }
  return architecture;
}

// The ranks of the layers that have one, by name.
std::map<std::string, std::int64_t> RanksOf(const Architecture& architecture,
                                            const LinearUses& linears) {
  std::map<std::string, std::int64_t> ranks;
  const auto add = [&](const char* side, const std::vector<BlockSpec>& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const std::string prefix = BlockName(side, i) + ".";
      for (const auto& [name, use] : linears) {
        if (name.starts_with(prefix) &&
            IsFactored(blocks[i].rank, use.spec.in, use.spec.out)) {
          ranks[name] = blocks[i].rank;
        }
      }
    }
  };
  add("encoder", architecture.encoder);
  add("decoder", architecture.decoder);
  return ranks;
}

void Factorize(const Architecture& architecture, const TaskShape& task,
               const TaskData& data, const std::string& metric,
               NamedTensors& weights) {
  const Architecture whole = WithoutRanks(architecture);
  const NamedTensors before = weights;
  CalibrationRun run(whole, task, before, data);
  const auto ranks = RanksOf(architecture, run.FindLinears());
  std::map<std::string, at::Tensor> grams;
  if (metric == "activations" && !ranks.empty()) {
    run.Watch([&](const std::string& name, const at::Tensor& x_NI) {
      if (!ranks.contains(name)) return;
      const at::Tensor exact_NI = x_NI.to(at::kDouble);
      const at::Tensor gram = exact_NI.t().matmul(exact_NI);
      const auto [entry, fresh] = grams.try_emplace(name, gram);
      if (!fresh) entry->second.add_(gram);
    });
  }
  std::map<std::string, std::vector<double>> fisher;
  if (metric == "fisher" && !ranks.empty()) {
    fisher = SquaredGradients(whole, task, before, data);
  }
  for (const auto& [name, rank] : ranks) {
    const at::Tensor weight = ToTensor(before.at(name + ".weight"), at::kCPU);
    Factors factors;
    if (metric == "activations") {
      factors = WhitenedFactorsOf(weight, rank, grams.at(name));
    } else if (metric == "fisher") {
      factors = FisherFactorsOf(
          weight, rank,
          at::tensor(fisher.at(name), at::TensorOptions().dtype(at::kDouble))
              .view_as(weight));
    } else {
      factors = FactorsOf(weight, rank);
    }
    weights[name + ".reduce.weight"] = ToTensorData(factors.reduce_RI);
    weights[name + ".reduce.bias"] = TensorData::FromFloats(
        {rank}, std::vector<float>(static_cast<std::size_t>(rank)));
    weights[name + ".expand.weight"] = ToTensorData(factors.expand_OR);
    weights[name + ".expand.bias"] = before.at(name + ".bias");
    weights.erase(name + ".weight");
    weights.erase(name + ".bias");
  }
}

bool HeadsCanGo(const AttentionSpec& attention) {
  if (const auto* full = std::get_if<FullAttention>(&attention)) {
    return full->kv_heads == full->heads;
  }
  return !std::holds_alternative<LinformerAttention>(attention) &&
         !std::holds_alternative<PerformerAttention>(attention);
}

// The kind without its number of heads.
AttentionSpec OneHead(const AttentionSpec& attention) {
  AttentionSpec one = attention;
  if (auto* full = std::get_if<FullAttention>(&one)) {
    full->kv_heads = full->kv_heads == full->heads ? 1 : full->kv_heads;
  }
  std::visit([](auto& kind) { kind.heads = 1; }, one);
  return one;
}

void CheckBlock(const StemSpec& stem, const BlockSpec& larger,
                const BlockSpec& smaller, const std::string& where) {
  const std::int64_t heads = Heads(smaller.attention);
  if (larger.rank != 0) Refuse(where + " has a rank already");
  if (OneHead(larger.attention) != OneHead(smaller.attention) ||
      larger.cross != smaller.cross ||
      larger.feed_forward.activation != smaller.feed_forward.activation) {
    Refuse(where + " is of another kind");
  }
  if (heads > Heads(larger.attention) ||
      HeadDim(stem, larger) != HeadDim(stem, smaller)) {
    Refuse(where + " has " + std::to_string(Heads(larger.attention)) +
           " heads of dimension " + std::to_string(HeadDim(stem, larger)) +
           ", and more of them or others are asked for");
  }
  if (heads < Heads(larger.attention) && !HeadsCanGo(larger.attention)) {
    Refuse(where + " has " + AttentionName(larger.attention) +
           " attention, whose heads belong together");
  }
  if (smaller.feed_forward.width > larger.feed_forward.width) {
    Refuse(where + " has a feed-forward width of " +
           std::to_string(larger.feed_forward.width) + ", and " +
           std::to_string(smaller.feed_forward.width) + " is asked for");
  }
}

void CheckSide(const StemSpec& stem, const std::vector<BlockSpec>& larger,
               const std::vector<BlockSpec>& smaller, const std::string& side) {
  if (smaller.size() > larger.size() || smaller.empty() != larger.empty()) {
    Refuse("the " + side + " has " + std::to_string(larger.size()) +
           " blocks, and " + std::to_string(smaller.size()) + " are asked for");
  }
  // Which block becomes which is known only when they have been weighed.
  for (const BlockSpec& one : larger) {
    for (std::size_t i = 0; i < smaller.size(); ++i) {
      const bool same_place = smaller.size() == larger.size();
      CheckBlock(stem, same_place ? larger[i] : one, smaller[i],
                 side + "." + std::to_string(i));
    }
  }
}

}  // namespace

void CheckCanShrink(const Architecture& larger, const Architecture& smaller) {
  StemSpec stem = smaller.stem;
  stem.embedding = larger.stem.embedding;
  if (larger.stem.embedding_rank == 0) stem.embedding_rank = 0;
  if (larger.stem != stem) Refuse("the stems differ");
  CheckSide(larger.stem, larger.encoder, smaller.encoder, "encoder");
  CheckSide(larger.stem, larger.decoder, smaller.decoder, "decoder");
}

NamedTensors ShrinkNetwork(const Architecture& larger,
                           const Architecture& smaller, const TaskShape& task,
                           const NamedTensors& weights, const TaskData& data,
                           const CompressionOptions& options,
                           std::uint64_t seed) {
  CheckCanShrink(larger, smaller);
  const Architecture from = WithoutPrecision(larger);
  Architecture to = WithoutPrecision(smaller);
  to.stem.embedding_rank = from.stem.embedding_rank;
  NamedTensors result = weights;
  if (from != WithoutRanks(to)) {
    result = Shrinking(from, to, weights,
                       FindImportance(from, task, weights, data,
                                      options.importance, seed))
                 .Run();
  }
  return AtTorchBoundary("factoring", [&] {
    Factorize(to, task, data, options.factors, result);
    return std::move(result);
  });
}

}  // namespace hone
