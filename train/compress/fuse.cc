#include "train/compress/fuse.h"

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros_like.h>

#include "space/network/transformer.h"
#include "train/torch_boundary.h"
#include "train/weight_source.h"

namespace hone {
namespace {

struct FoldedNorm {
  std::string norm;
  std::vector<std::string> readers;
};

void AddBlock(const std::string& name, const BlockSpec& block,
              std::vector<FoldedNorm>& folds) {
  FoldedNorm attention{name + ".attention_norm", {}};
  for (const char* role : kSelfAttentionRoles) {
    attention.readers.push_back(name + ".attention" + role);
  }
  folds.push_back(attention);
  if (block.cross) {
    folds.push_back({name + ".cross_norm", {name + ".cross.query"}});
  }
  FoldedNorm feed_forward{name + ".feed_forward_norm",
                          {name + ".feed_forward.up"}};
  if (block.feed_forward.activation == Activation::kSwiglu) {
    feed_forward.readers.push_back(name + ".feed_forward.gate");
  }
  folds.push_back(feed_forward);
}

std::vector<FoldedNorm> FoldedNorms(const Architecture& architecture) {
  std::vector<FoldedNorm> folds;
  if (architecture.stem.norm_place == NormPlace::kPost) return folds;
  FoldedNorm last_of_encoder{"encoder.norm", {}};
  for (const auto& [name, block] : NamedBlocks(architecture)) {
    AddBlock(name, block, folds);
    if (!block.cross) continue;
    last_of_encoder.readers.push_back(name + ".cross.key");
    last_of_encoder.readers.push_back(name + ".cross.value");
  }
  if (architecture.decoder.empty()) last_of_encoder.readers = {"classifier"};
  if (!architecture.encoder.empty()) folds.push_back(last_of_encoder);
  if (!architecture.decoder.empty() &&
      architecture.stem.output == OutputEmbedding::kUntied) {
    folds.push_back({"decoder.norm", {"output"}});
  }
  return folds;
}

void Fold(const FoldedNorm& fold, NamedTensors& weights) {
  TensorData& gain = weights.at(fold.norm + ".weight");
  const auto bias = weights.find(fold.norm + ".bias");  // RMSNorm has none
  const at::Tensor gain_I = ToTensor(gain, at::kCPU);
  at::Tensor bias_I;
  if (bias != weights.end()) bias_I = ToTensor(bias->second, at::kCPU);
  for (std::string reader : fold.readers) {
    if (weights.contains(reader + ".reduce.weight")) reader += ".reduce";
    TensorData& weight = weights.at(reader + ".weight");
    const at::Tensor weight_OI = ToTensor(weight, at::kCPU);
    if (bias_I.defined()) {
      TensorData& added = weights.at(reader + ".bias");
      added = ToTensorData(ToTensor(added, at::kCPU).add(weight_OI.mv(bias_I)));
    }
    weight = ToTensorData(weight_OI.mul(gain_I));
  }
  gain = ToTensorData(at::ones_like(gain_I));
  if (bias != weights.end()) {
    bias->second = ToTensorData(at::zeros_like(bias_I));
  }
}

}  // namespace

NamedTensors FuseNorms(const Architecture& architecture, NamedTensors weights) {
  return AtTorchBoundary("folding norms", [&] {
    for (const FoldedNorm& fold : FoldedNorms(architecture)) {
      Fold(fold, weights);
    }
    return std::move(weights);
  });
}

}  // namespace hone
