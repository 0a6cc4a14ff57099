#include "train/compress/importance.h"

#include <cmath>
#include <functional>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/zeros.h>

#include "space/base/rng.h"
#include "space/network/transformer.h"
#include "train/compress/channels.h"
#include "train/forward.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

constexpr std::int64_t kGradientBatch = 16;
constexpr std::int64_t kForwardBatch = 64;

// f32 weights whose gradients are kept.
class LeafWeights : public WeightSource {
 public:
  explicit LeafWeights(const NamedTensors& tensors) {
    for (const auto& [name, data] : tensors) {
      leaves_[name] = ToTensor(data, at::kCPU).requires_grad_();
    }
  }
  at::Tensor Get(const std::string& name, WeightRole,
                 at::IntArrayRef) override {
    return leaves_.at(name);
  }
  std::map<std::string, at::Tensor>& leaves() { return leaves_; }

 private:
  std::map<std::string, at::Tensor> leaves_;
};

using Leaves = std::map<std::string, at::Tensor>;

// Shows all weights with their gradients, batch after batch.
void ForEachGradient(const Architecture& architecture, const TaskShape& task,
                     const NamedTensors& weights, const TaskData& data,
                     const std::function<void(const Leaves&)>& visit) {
  const Architecture exact = WithoutPrecision(architecture);
  LeafWeights source(weights);
  EagerOps ops(source);
  for (const Batch& rows : OrderedBatches(data, kGradientBatch)) {
    const NetworkBatch batch = MakeNetworkBatch(data, task, rows, at::kCPU);
    const at::Tensor logits =
        Transformer(ops, exact, task, batch.input, batch.target);
    at::cross_entropy_loss(logits.flatten(0, -2), batch.labels.flatten(), {},
                           at::Reduction::Mean, kNoLabel)
        .backward();
    visit(source.leaves());
    for (auto& [name, leaf] : source.leaves()) leaf.mutable_grad().reset();
  }
}

// dL/dm of each column of a layer's matrix.
at::Tensor MaskGradient(const Leaves& leaves, const std::string& layer) {
  const at::Tensor& weight = leaves.at(layer + ".weight");
  return weight.detach().mul(weight.grad()).sum(0).to(at::kDouble);
}

std::vector<double> Values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  const auto* values = flat.const_data_ptr<double>();
  return {values, values + flat.numel()};
}

void AddTo(std::vector<double>& sums, const std::vector<double>& values,
           bool squared) {
  sums.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[i] += squared ? values[i] * values[i] : std::abs(values[i]);
  }
}

// What a block adds to the residual stream, masked as a whole.
double BlockGradient(const Leaves& leaves, const std::string& name,
                     const BlockSpec& block) {
  double sum = 0;
  const auto add = [&](const std::string& layer) {
    const at::Tensor& bias = leaves.at(layer + ".bias");
    sum += MaskGradient(leaves, layer).sum().item<double>() +
           bias.detach().mul(bias.grad()).sum().item<double>();
  };
  add(name + ".attention.output");
  add(name + ".feed_forward.down");
  if (block.cross) add(name + ".cross.output");
  return sum;
}

// dL/dm of each channel of the residual stream.
at::Tensor ChannelGradient(const Architecture& architecture,
                           const Leaves& leaves) {
  at::Tensor sum = at::zeros({architecture.stem.d_model}, at::kDouble);
  for (const std::string& reader : StreamReaders(architecture)) {
    sum.add_(MaskGradient(leaves, reader));
  }
  return sum;
}

// dL/dm of each inner dimension of a cross-attention.
at::Tensor CrossGradient(const Leaves& leaves, const std::string& cross) {
  const at::Tensor& query = leaves.at(cross + ".query.weight");
  const at::Tensor& bias = leaves.at(cross + ".query.bias");
  return MaskGradient(leaves, cross + ".output")
      .add(query.detach().mul(query.grad()).sum(1))
      .add(bias.detach().mul(bias.grad()));
}

Importance ByGradient(const Architecture& architecture, const TaskShape& task,
                      const NamedTensors& weights, const TaskData& data,
                      bool squared) {
  Importance scores;
  ForEachGradient(architecture, task, weights, data, [&](const Leaves& leaves) {
    for (const auto& [name, block] : NamedBlocks(architecture)) {
      const at::Tensor heads = MaskGradient(leaves, name + ".attention.output")
                                   .view({Heads(block.attention), -1})
                                   .sum(1);
      AddTo(scores.heads[name], Values(heads), squared);
      AddTo(scores.neurons[name],
            Values(MaskGradient(leaves, name + ".feed_forward.down")), squared);
      const double whole = BlockGradient(leaves, name, block);
      scores.blocks[name] += squared ? whole * whole : std::abs(whole);
      if (!block.cross) continue;
      AddTo(scores.cross[name], Values(CrossGradient(leaves, name + ".cross")),
            squared);
    }
    AddTo(scores.channels, Values(ChannelGradient(architecture, leaves)),
          squared);
  });
  return scores;
}

// The squared lengths of what each layer reads, by column.
using ColumnSquares = std::map<std::string, at::Tensor>;

void AddSquares(const std::string& name, const at::Tensor& input,
                ColumnSquares& squares) {
  const at::Tensor sum = input.flatten(0, -2).square().sum(0).to(at::kDouble);
  const auto [entry, fresh] = squares.try_emplace(name, sum);
  if (!fresh) entry->second.add_(sum);
}

// Of linear layers, and of a table that is an output layer.
ColumnSquares SquaresOfInputs(const Architecture& architecture,
                              const TaskShape& task,
                              const NamedTensors& weights,
                              const TaskData& data) {
  const at::NoGradGuard no_grad;
  const Architecture exact = WithoutPrecision(architecture);
  ColumnSquares squares;
  StoredWeights source(weights, at::kCPU);
  EagerOps ops(source,
               {.taps = {kLastHiddenTap},
                .observer = [&](const std::string& name, const LinearSpec&,
                                const at::Tensor& input) {
                  AddSquares(name, input, squares);
                }});
  for (const Batch& rows : OrderedBatches(data, kForwardBatch)) {
    const NetworkBatch batch = MakeNetworkBatch(data, task, rows, at::kCPU);
    Transformer(ops, exact, task, batch.input, batch.target);
    AddSquares("embedding", ops.TakeTap(kLastHiddenTap), squares);
  }
  return squares;
}

Importance ByNorm(const Architecture& architecture, const TaskShape& task,
                  const NamedTensors& weights, const TaskData& data) {
  const ColumnSquares squares =
      SquaresOfInputs(architecture, task, weights, data);
  // Of each column: the squared length of what it adds to the output.
  const auto lengths = [&](const std::string& layer) {
    const at::Tensor columns = ToTensor(weights.at(layer + ".weight"), at::kCPU)
                                   .to(at::kDouble)
                                   .square()
                                   .sum(0);
    return squares.at(layer).mul(columns);
  };
  Importance scores;
  for (const auto& [name, block] : NamedBlocks(architecture)) {
    const at::Tensor heads = lengths(name + ".attention.output");
    const at::Tensor neurons = lengths(name + ".feed_forward.down");
    scores.heads[name] =
        Values(heads.view({Heads(block.attention), -1}).sum(1).sqrt());
    scores.neurons[name] = Values(neurons.sqrt());
    scores.blocks[name] =
        std::sqrt(heads.sum().item<double>() + neurons.sum().item<double>());
    if (!block.cross) continue;
    scores.cross[name] = Values(lengths(name + ".cross.output").sqrt());
  }
  at::Tensor channels = at::zeros({architecture.stem.d_model}, at::kDouble);
  for (const std::string& reader : StreamReaders(architecture)) {
    channels.add_(lengths(reader));
  }
  scores.channels = Values(channels.sqrt());
  return scores;
}

Importance ByChance(const Architecture& architecture, std::uint64_t seed) {
  const auto draw = [&](const std::string& what, std::int64_t count) {
    Rng rng(seed, 0, "importance " + what);
    std::vector<double> scores;
    for (std::int64_t i = 0; i < count; ++i) scores.push_back(rng.Uniform());
    return scores;
  };
  Importance scores;
  for (const auto& [name, block] : NamedBlocks(architecture)) {
    const std::int64_t heads = Heads(block.attention);
    const std::int64_t neurons = block.feed_forward.width;
    const auto all = draw(name, heads + neurons + 1);
    scores.heads[name].assign(all.begin(), all.begin() + heads);
    scores.neurons[name].assign(all.begin() + heads, all.end() - 1);
    scores.blocks[name] = all.back();
    if (!block.cross) continue;
    scores.cross[name] = draw(name + ".cross", architecture.stem.d_model);
  }
  scores.channels = draw("channels", architecture.stem.d_model);
  return scores;
}

void NormalizeHeads(Importance& scores) {
  for (auto& [name, heads] : scores.heads) {
    double squares = 0;
    for (const double score : heads) squares += score * score;
    if (squares == 0) continue;
    for (double& score : heads) score /= std::sqrt(squares);
  }
}

}  // namespace

Importance FindImportance(const Architecture& architecture,
                          const TaskShape& task, const NamedTensors& weights,
                          const TaskData& data, const std::string& criterion,
                          std::uint64_t seed) {
  return AtTorchBoundary("finding what can be pruned", [&] {
    if (criterion == "random") return ByChance(architecture, seed);
    Importance scores = criterion == "norm"
                            ? ByNorm(architecture, task, weights, data)
                            : ByGradient(architecture, task, weights, data,
                                         criterion == "fisher");
    NormalizeHeads(scores);
    return scores;
  });
}

std::map<std::string, std::vector<double>> SquaredGradients(
    const Architecture& architecture, const TaskShape& task,
    const NamedTensors& weights, const TaskData& data) {
  std::map<std::string, at::Tensor> sums;
  ForEachGradient(architecture, task, weights, data, [&](const Leaves& leaves) {
    for (const auto& [name, leaf] : leaves) {
      if (!leaf.grad().defined() || leaf.dim() != 2) continue;
      const at::Tensor square = leaf.grad().square().to(at::kDouble);
      const auto [entry, fresh] = sums.try_emplace(name, square);
      if (!fresh) entry->second.add_(square);
    }
  });
  std::map<std::string, std::vector<double>> result;
  for (const auto& [name, sum] : sums) {
    const std::string suffix = ".weight";
    if (!name.ends_with(suffix)) continue;
    result[name.substr(0, name.size() - suffix.size())] = Values(sum);
  }
  return result;
}

}  // namespace hone
