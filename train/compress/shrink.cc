#include "train/compress/shrink.h"

#include <algorithm>
#include <numeric>

#include <ATen/ops/tensor.h>

#include "space/base/error.h"
#include "space/network/transformer.h"
#include "train/compress/calibration_run.h"
#include "train/compress/channels.h"
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

KeptChannels ChannelsThatStay(const Architecture& larger, std::int64_t d_model,
                              const Importance& importance) {
  KeptChannels kept{Largest(importance.channels, d_model), {}};
  for (std::size_t i = 0; i < larger.decoder.size(); ++i) {
    if (!larger.decoder[i].cross) continue;
    const std::string name = BlockName("decoder", i);
    const std::int64_t heads = larger.decoder[i].cross->heads;
    const std::int64_t before = larger.stem.d_model / heads;
    const std::vector<double>& scores = importance.cross.at(name);
    for (std::int64_t head = 0; head < heads; ++head) {
      const auto first = scores.begin() + head * before;
      for (const std::int64_t place :
           Largest({first, first + before}, d_model / heads)) {
        kept.cross[name].push_back(head * before + place);
      }
    }
  }
  return kept;
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
      KeepHeads(to, larger_.stem, larger,
                Largest(importance_.heads.at(from), heads), result_);
    }
    const std::int64_t width = smaller.feed_forward.width;
    if (width < larger.feed_forward.width) {
      KeepNeurons(to, larger, Largest(importance_.neurons.at(from), width),
                  result_);
    }
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
  for (const auto& [block_name, block] : NamedBlocks(architecture)) {
    for (const auto& [name, use] : linears) {
      if (name.starts_with(block_name + ".") &&
          IsFactored(block.rank, use.spec.in, use.spec.out)) {
        ranks[name] = block.rank;
      }
    }
  }
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

// The kind without its number of heads.
AttentionSpec OneHead(const AttentionSpec& attention) {
  AttentionSpec one = attention;
  if (auto* full = std::get_if<FullAttention>(&one)) {
    full->kv_heads = full->kv_heads == full->heads ? 1 : full->kv_heads;
  }
  std::visit([](auto& kind) { kind.heads = 1; }, one);
  return one;
}

// Block and stem of each.
struct InStem {
  const StemSpec& stem;
  const BlockSpec& block;
  std::int64_t head_dim() const { return HeadDim(stem, block); }
};

void CheckHeads(const InStem& larger, const InStem& smaller,
                const std::string& where) {
  const AttentionSpec& attention = larger.block.attention;
  const std::int64_t heads = Heads(smaller.block.attention);
  if (heads > Heads(attention) || larger.head_dim() != smaller.head_dim()) {
    Refuse(where + " has " + std::to_string(Heads(attention)) +
           " heads of dimension " + std::to_string(larger.head_dim()) +
           ", and more of them or others are asked for");
  }
  if (heads < Heads(attention) && !HeadsCanGo(attention)) {
    Refuse(where + " has " + AttentionName(attention) +
           " attention, whose heads belong together");
  }
}

void CheckBlock(const InStem& from, const InStem& to,
                const std::string& where) {
  const BlockSpec& larger = from.block;
  const BlockSpec& smaller = to.block;
  if (larger.rank != 0) Refuse(where + " has a rank already");
  if (OneHead(larger.attention) != OneHead(smaller.attention) ||
      larger.cross != smaller.cross ||
      larger.feed_forward.activation != smaller.feed_forward.activation) {
    Refuse(where + " is of another kind");
  }
  CheckHeads(from, to, where);
  if (smaller.feed_forward.width > larger.feed_forward.width) {
    Refuse(where + " has a feed-forward width of " +
           std::to_string(larger.feed_forward.width) + ", and " +
           std::to_string(smaller.feed_forward.width) + " is asked for");
  }
}

// The blocks of one side and the stem.
struct Side {
  const StemSpec& stem;
  const std::vector<BlockSpec>& blocks;
};

void CheckSide(const Side& from, const Side& to, const std::string& side) {
  const std::vector<BlockSpec>& larger = from.blocks;
  const std::vector<BlockSpec>& smaller = to.blocks;
  if (smaller.size() > larger.size() || smaller.empty() != larger.empty()) {
    Refuse("the " + side + " has " + std::to_string(larger.size()) +
           " blocks, and " + std::to_string(smaller.size()) + " are asked for");
  }
  // Which block becomes which is known only when they have been weighed.
  for (const BlockSpec& one : larger) {
    for (std::size_t i = 0; i < smaller.size(); ++i) {
      const bool same_place = smaller.size() == larger.size();
      CheckBlock({from.stem, same_place ? larger[i] : one},
                 {to.stem, smaller[i]}, side + "." + std::to_string(i));
    }
  }
}

void CheckStem(const StemSpec& larger, StemSpec smaller) {
  const std::int64_t d_model = smaller.d_model;
  if (d_model > larger.d_model) {
    Refuse("d_model is " + std::to_string(larger.d_model) + ", and " +
           std::to_string(d_model) + " is asked for");
  }
  if (d_model < larger.d_model && larger.positions == Positions::kSinusoidal) {
    Refuse(
        "sinusoidal positions are another table for each d_model, so no "
        "channel can go; networks with learned or rotary positions, or none, "
        "can be made narrower");
  }
  if (d_model < larger.d_model && larger.embedding_rank != 0) {
    Refuse("the token table is a product, so no channel can go");
  }
  smaller.d_model = larger.d_model;
  smaller.embedding = larger.embedding;
  smaller.compute = larger.compute;
  if (larger.embedding_rank == 0) smaller.embedding_rank = 0;
  if (smaller != larger) {
    Refuse("the stems differ in more than d_model and the token table");
  }
}

struct BlockPlace {
  std::string side;
  std::size_t index = 0;
};

BlockPlace PlaceOf(const std::string& block) {
  const std::size_t dot = block.find('.');
  HONE_CHECK(dot != std::string::npos);
  return {block.substr(0, dot), std::stoul(block.substr(dot + 1))};
}

}  // namespace

bool HeadsCanGo(const AttentionSpec& attention) {
  if (const auto* full = std::get_if<FullAttention>(&attention)) {
    return full->kv_heads == full->heads;
  }
  return !std::holds_alternative<LinformerAttention>(attention) &&
         !std::holds_alternative<PerformerAttention>(attention);
}

void CheckCanShrink(const Architecture& larger, const Architecture& smaller) {
  CheckStem(larger.stem, smaller.stem);
  CheckSide({larger.stem, larger.encoder}, {smaller.stem, smaller.encoder},
            "encoder");
  CheckSide({larger.stem, larger.decoder}, {smaller.stem, smaller.decoder},
            "decoder");
}

bool CanShrink(const Architecture& larger, const Architecture& smaller) {
  try {
    CheckCanShrink(larger, smaller);
  } catch (const Error&) {
    return false;
  }
  return true;
}

NamedTensors ShrinkNetwork(const Architecture& larger,
                           const Architecture& smaller, const TaskShape& task,
                           const NamedTensors& weights, const TaskData& data,
                           const CompressionOptions& options,
                           std::uint64_t seed) {
  if (larger == smaller) return weights;
  CheckCanShrink(larger, smaller);
  const Architecture from = WithoutPrecision(larger);
  Architecture to = WithoutPrecision(smaller);
  to.stem.embedding_rank = from.stem.embedding_rank;
  NamedTensors result = weights;
  if (from != WithoutRanks(to)) {
    const Importance importance =
        FindImportance(from, task, weights, data, options.importance, seed);
    if (to.stem.d_model < from.stem.d_model) {
      result = CutChannels(from, weights,
                           ChannelsThatStay(from, to.stem.d_model, importance));
    }
    result = Shrinking(from, to, result, importance).Run();
  }
  return AtTorchBoundary("factoring", [&] {
    Factorize(to, task, data, options.factors, result);
    return std::move(result);
  });
}

std::int64_t SpelledHeadDim(const StemSpec& stem,
                            const AttentionSpec& attention,
                            std::int64_t head_dim) {
  return Heads(attention) * head_dim == stem.d_model ? 0 : head_dim;
}

Architecture WithoutBlock(Architecture architecture, const std::string& name) {
  const BlockPlace gone = PlaceOf(name);
  auto& blocks =
      gone.side == "encoder" ? architecture.encoder : architecture.decoder;
  HONE_CHECK_LT(gone.index, blocks.size());
  blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(gone.index));
  return architecture;
}

NamedTensors WithoutBlock(const NamedTensors& weights,
                          const std::string& name) {
  const BlockPlace gone = PlaceOf(name);
  NamedTensors result;
  for (const auto& [key, tensor] : weights) {
    if (!IsOfBlock(key) || !key.starts_with(gone.side + ".")) {
      result[key] = tensor;
      continue;
    }
    const std::size_t end = key.find('.', gone.side.size() + 1);
    const std::size_t index = PlaceOf(key.substr(0, end)).index;
    if (index == gone.index) continue;
    result[BlockName(gone.side.c_str(), index - (index > gone.index)) +
           key.substr(end)] = tensor;
  }
  return result;
}

}  // namespace hone
