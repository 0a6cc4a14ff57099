#include "train/compress/channels.h"

#include <cmath>
#include <set>

#include <ATen/ops/tensor.h>

#include "space/network/transformer.h"
#include "train/torch_boundary.h"
#include "train/weight_source.h"

namespace hone {
namespace {

constexpr const char* kTables[] = {"embedding", "position", "target_position"};
constexpr const char* kNorms[] = {".attention_norm", ".cross_norm",
                                  ".feed_forward_norm"};
constexpr const char* kWriters[] = {".attention.output", ".cross.output",
                                    ".feed_forward.down"};

class Cutting {
 public:
  explicit Cutting(NamedTensors& weights) : weights_(weights) {}

  // Nothing where the network has no such weight.
  void Keep(const std::string& name, std::int64_t axis,
            const std::vector<std::int64_t>& places) {
    const auto found = weights_.find(name);
    if (found == weights_.end()) return;
    found->second = ToTensorData(ToTensor(found->second, at::kCPU)
                                     .index_select(axis, at::tensor(places)));
  }

  // The rows of a layer, or what a norm has of each channel.
  void KeepRows(const std::string& layer,
                const std::vector<std::int64_t>& places) {
    Keep(layer + ".weight", 0, places);
    Keep(layer + ".bias", 0, places);
  }

  void Scale(const std::string& name, double factor) {
    TensorData& tensor = weights_.at(name);
    tensor = ToTensorData(ToTensor(tensor, at::kCPU).mul_(factor));
  }

 private:
  NamedTensors& weights_;
};

void CutCross(const std::string& cross, std::int64_t d_model,
              const std::vector<std::int64_t>& kept, Cutting& cutting) {
  for (const char* role : kSelfAttentionRoles) {
    cutting.KeepRows(cross + role, kept);
  }
  cutting.Keep(cross + ".output.weight", 1, kept);
  const double factor = std::sqrt(static_cast<double>(kept.size()) /
                                  static_cast<double>(d_model));
  cutting.Scale(cross + ".query.weight", factor);
  cutting.Scale(cross + ".query.bias", factor);
}

}  // namespace

std::vector<std::string> StreamReaders(const Architecture& architecture) {
  std::vector<std::string> readers;
  for (const auto& [name, block] : NamedBlocks(architecture)) {
    for (const char* role : kSelfAttentionRoles) {
      readers.push_back(name + ".attention" + role);
      if (block.cross) readers.push_back(name + ".cross" + role);
    }
    readers.push_back(name + ".feed_forward.up");
    if (block.feed_forward.activation == Activation::kSwiglu) {
      readers.push_back(name + ".feed_forward.gate");
    }
  }
  const StemSpec& stem = architecture.stem;
  if (architecture.decoder.empty()) {
    readers.emplace_back("classifier");
  } else if (stem.output != OutputEmbedding::kTied) {
    readers.emplace_back("output");
  } else if (stem.embedding_rank == 0) {
    readers.emplace_back("embedding");
  }
  return readers;
}

NamedTensors CutChannels(const Architecture& architecture,
                         const NamedTensors& weights,
                         const KeptChannels& kept) {
  return AtTorchBoundary("cutting channels", [&] {
    NamedTensors result = weights;
    Cutting cutting(result);
    std::set<std::string> columns(std::begin(kTables), std::end(kTables));
    for (std::string& reader : StreamReaders(architecture)) {
      columns.insert(std::move(reader));
    }
    for (const std::string& name : columns) {
      cutting.Keep(name + ".weight", 1, kept.stream);
    }
    for (const char* name : {"input", "encoder.norm", "decoder.norm"}) {
      cutting.KeepRows(name, kept.stream);
    }
    for (const auto& [name, block] : NamedBlocks(architecture)) {
      for (const char* norm : kNorms) {
        cutting.KeepRows(name + norm, kept.stream);
      }
      for (const char* writer : kWriters) {
        cutting.KeepRows(name + writer, kept.stream);
      }
      if (!block.cross) continue;
      CutCross(name + ".cross", architecture.stem.d_model, kept.cross.at(name),
               cutting);
    }
    return result;
  });
}

void KeepHeads(const std::string& name, const StemSpec& stem,
               const BlockSpec& block, const std::vector<std::int64_t>& heads,
               NamedTensors& weights) {
  const std::int64_t head_dim = HeadDim(stem, block);
  std::vector<std::int64_t> rows;
  for (const std::int64_t head : heads) {
    for (std::int64_t i = 0; i < head_dim; ++i) {
      rows.push_back(head * head_dim + i);
    }
  }
  AtTorchBoundary("cutting heads", [&] {
    Cutting cutting(weights);
    for (const char* role : kSelfAttentionRoles) {
      cutting.KeepRows(name + ".attention" + role, rows);
    }
    cutting.Keep(name + ".attention.output.weight", 1, rows);
  });
}

void KeepNeurons(const std::string& name, const BlockSpec& block,
                 const std::vector<std::int64_t>& neurons,
                 NamedTensors& weights) {
  AtTorchBoundary("cutting neurons", [&] {
    Cutting cutting(weights);
    cutting.KeepRows(name + ".feed_forward.up", neurons);
    if (block.feed_forward.activation == Activation::kSwiglu) {
      cutting.KeepRows(name + ".feed_forward.gate", neurons);
    }
    cutting.Keep(name + ".feed_forward.down.weight", 1, neurons);
  });
}

}  // namespace hone
