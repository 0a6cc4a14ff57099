#include "train/shared_weights.h"

#include <algorithm>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_unique2.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "space/base/error.h"
#include "train/eager_ops.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

at::TensorOptions Floats() { return at::TensorOptions().dtype(at::kFloat); }

// Notes the largest shape of each weight that it is asked for.
class ShapeNotes : public WeightSource {
 public:
  at::Tensor Get(const std::string& name, WeightRole role,
                 at::IntArrayRef shape) override {
    if (role != WeightRole::kRandomFeatures) Note(name, role, shape, false);
    return at::zeros({1}, Floats()).expand(shape);
  }

  at::Tensor Lookup(const std::string& name, const at::Tensor& tokens_BT,
                    const TableSpec& spec) override {
    const std::string weight = name + ".weight";
    Note(weight, WeightRole::kTable, {spec.rows, spec.dim}, true);
    return at::zeros({tokens_BT.size(0), tokens_BT.size(1), spec.dim},
                     Floats());
  }

  SharedShapes Take() { return std::move(shapes_); }

 private:
  void Note(const std::string& name, WeightRole role, at::IntArrayRef shape,
            bool looked_up) {
    SharedShape& noted =
        shapes_.try_emplace(name, SharedShape{role, shape.vec(), true})
            .first->second;
    HONE_CHECK_EQ(noted.sizes.size(), shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) {
      noted.sizes[i] = std::max(noted.sizes[i], shape[i]);
    }
    noted.looked_up = noted.looked_up && looked_up;
  }

  SharedShapes shapes_;
};

// Cuts the weights of one member and keeps them.
class Extraction : public WeightSource {
 public:
  Extraction(const NamedTensors& shared, std::uint64_t seed)
      : shared_(shared), seed_(seed) {}

  at::Tensor Get(const std::string& name, WeightRole role,
                 at::IntArrayRef shape) override {
    at::Tensor weight;
    if (role == WeightRole::kRandomFeatures) {
      weight = NewFeatures(name, shape[0], shape[1], seed_, 0, Floats());
    } else {
      weight = FirstOf(ToTensor(shared_.at(name), at::kCPU), shape);
    }
    weights_[name] = ToTensorData(weight);
    return weight;
  }

  NamedTensors Take() { return std::move(weights_); }

 private:
  const NamedTensors& shared_;
  std::uint64_t seed_;
  NamedTensors weights_;
};

std::int64_t Deepest(const std::vector<std::int64_t>& layers) {
  return *std::max_element(layers.begin(), layers.end());
}

}  // namespace

SharedShapes SharedShapesOf(const SearchSpace& space) {
  return AtTorchBoundary("finding the shapes of shared weights", [&] {
    ShapeNotes notes;
    const auto encoder_layers =
        static_cast<std::size_t>(Deepest(space.EncoderLayers()));
    const auto decoder_layers =
        static_cast<std::size_t>(Deepest(space.DecoderLayers()));
    for (const StemSpec& stem : space.StemChoices()) {
      std::vector<BlockSpec> encoders;
      std::vector<BlockSpec> decoders;
      if (encoder_layers > 0) {
        encoders = space.BlockShapes(stem, encoder_layers, false);
      }
      if (decoder_layers > 0) {
        decoders = space.BlockShapes(stem, encoder_layers, true);
      }
      // A block's weights do not depend on other blocks.
      for (std::size_t i = 0; i < std::max(encoders.size(), decoders.size());
           ++i) {
        Architecture uniform{stem, {}, {}};
        if (!encoders.empty()) {
          uniform.encoder.assign(encoder_layers,
                                 encoders[std::min(i, encoders.size() - 1)]);
        }
        if (!decoders.empty()) {
          uniform.decoder.assign(decoder_layers,
                                 decoders[std::min(i, decoders.size() - 1)]);
        }
        Discover(notes, WithoutPrecision(uniform), space.task());
      }
    }
    return notes.Take();
  });
}

at::Tensor FirstOf(const at::Tensor& whole, at::IntArrayRef shape) {
  HONE_CHECK_EQ(static_cast<std::size_t>(whole.dim()), shape.size());
  at::Tensor part = whole;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    part = part.narrow(static_cast<std::int64_t>(i), 0, shape[i]);
  }
  return part;
}

// A table whose rows are fetched for a step.
struct SharedWeights::Table {
  AdamTable table;
  at::Tensor rows_U;
  at::Tensor value_UD;
};

// The leaves of one shard for the largest or for other members: views of the
// shared values whose gradients are views of the slot's own.
class SharedWeights::Slot : public WeightSource {
 public:
  explicit Slot(SharedWeights& shared) : shared_(shared) {
    for (const auto& [name, value] : shared.values_) {
      gradients_[name] = at::zeros_like(value);
    }
  }

  at::Tensor Get(const std::string& name, WeightRole role,
                 at::IntArrayRef shape) override {
    const auto key = std::pair(name, shape.vec());
    const auto found = leaves_.find(key);
    if (found != leaves_.end()) return found->second;
    at::Tensor leaf;
    if (role == WeightRole::kRandomFeatures) {
      leaf = NewFeatures(name, shape[0], shape[1], shared_.options_.seed, 0,
                         Floats());
    } else {
      leaf = Leaf(shared_.values_.at(name), gradients_.at(name), shape);
    }
    return leaves_.emplace(key, leaf).first->second;
  }

  at::Tensor Lookup(const std::string& name, const at::Tensor& tokens_BT,
                    const TableSpec& spec) override {
    const auto found = shared_.tables_.find(name + ".weight");
    if (found == shared_.tables_.end()) {
      return WeightSource::Lookup(name, tokens_BT, spec);
    }
    const Table& table = found->second;
    const auto key = std::pair(found->first, spec.dim);
    auto rows = rows_.find(key);
    if (rows == rows_.end()) {
      rows = rows_
                 .emplace(key, Leaf(table.value_UD, gradients_.at(key.first),
                                    {table.value_UD.size(0), spec.dim}))
                 .first;
    }
    return at::embedding(rows->second,
                         at::searchsorted(table.rows_U, tokens_BT));
  }

  void BeginStep() {
    rows_.clear();
    for (const auto& [name, table] : shared_.tables_) {
      gradients_[name] = at::zeros_like(table.value_UD);
    }
  }

  at::Tensor& Gradient(const std::string& name) { return gradients_.at(name); }
  void ForgetGradients() {
    for (auto& [name, gradient] : gradients_) gradient.zero_();
  }

 private:
  static at::Tensor Leaf(const at::Tensor& value, const at::Tensor& gradient,
                         at::IntArrayRef shape) {
    const at::NoGradGuard no_grad;
    at::Tensor leaf = FirstOf(value.detach(), shape).set_requires_grad(true);
    leaf.mutable_grad() = FirstOf(gradient, shape);
    return leaf;
  }

  SharedWeights& shared_;
  std::map<std::string, at::Tensor> gradients_;
  std::map<std::pair<std::string, std::vector<std::int64_t>>, at::Tensor>
      leaves_;
  std::map<std::pair<std::string, std::int64_t>, at::Tensor> rows_;
};

SharedWeights::SharedWeights(const SharedShapes& shapes,
                             const SharedWeightsOptions& options)
    : shapes_(shapes), options_(options) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, shape] : shapes_) {
    at::Tensor value =
        NewWeight(name, shape.role, shape.sizes, options_.seed, Floats());
    const auto given = options_.initial.find(name);
    if (given != options_.initial.end()) {
      FirstOf(value, given->second.shape)
          .copy_(ToTensor(given->second, at::kCPU));
    }
    if (shape.looked_up && shape.role == WeightRole::kTable) {
      tables_.emplace(name, Table{AdamTable(value, options_.adam), {}, {}});
    } else {
      values_.emplace(name, value);
    }
  }
  for (std::size_t i = 0; i < 2 * options_.shards; ++i) {
    slots_.push_back(std::make_unique<Slot>(*this));
  }
  optimizer_ =
      std::make_unique<AdamW>(Leaves(true), Leaves(false), options_.adam);
}

SharedWeights::~SharedWeights() = default;

std::vector<at::Tensor> SharedWeights::Leaves(bool decayed) const {
  std::vector<at::Tensor> leaves;
  for (const auto& [name, value] : values_) {
    if ((shapes_.at(name).role == WeightRole::kMatrix) == decayed) {
      leaves.push_back(value);
    }
  }
  return leaves;
}

WeightSource& SharedWeights::Source(std::size_t shard, Member member) {
  return *slots_.at(2 * shard + (member == Member::kLargest ? 0 : 1));
}

void SharedWeights::BeginStep(const at::Tensor& tokens) {
  if (tables_.empty()) return;
  const at::Tensor rows_U = std::get<0>(at::_unique2(tokens));
  for (auto& [name, table] : tables_) {
    table.rows_U = rows_U;
    table.value_UD = table.table.Fetch(rows_U);
  }
  for (auto& slot : slots_) slot->BeginStep();
}

void SharedWeights::CollectGradients(bool project) {
  const at::NoGradGuard no_grad;
  const auto collect = [&](const std::string& name, at::Tensor& leaf) {
    at::Tensor largest = slots_[0]->Gradient(name);
    at::Tensor others = slots_[1]->Gradient(name);
    for (std::size_t i = 2; i < slots_.size(); i += 2) {
      largest.add_(slots_[i]->Gradient(name));
      others.add_(slots_[i + 1]->Gradient(name));
    }
    double factor = 1;
    if (project) {
      const at::Tensor flat = others.flatten();
      const double along = at::dot(largest.flatten(), flat).item<double>();
      const double square = at::dot(flat, flat).item<double>();
      factor += std::clamp(-along / (square + 1e-6), 0.0, 2.0);
    }
    leaf.mutable_grad() = largest.add_(others, factor);
  };
  for (auto& [name, value] : values_) collect(name, value);
  for (auto& [name, table] : tables_) collect(name, table.value_UD);
}

std::vector<at::Tensor> SharedWeights::Gradients() const {
  std::vector<at::Tensor> gradients = optimizer_->Gradients();
  for (const auto& [name, table] : tables_) {
    gradients.push_back(table.table.Gradient());
  }
  return gradients;
}

void SharedWeights::Step(double learning_rate, double table_rate,
                         double divisor) {
  optimizer_->Step(learning_rate, divisor);
  for (auto& [name, table] : tables_) table.table.Step(table_rate, divisor);
  for (auto& slot : slots_) slot->ForgetGradients();
}

NamedTensors SharedWeights::Snapshot() {
  NamedTensors tensors;
  for (const auto& [name, value] : values_) {
    tensors.emplace(name, ToTensorData(value));
  }
  for (auto& [name, table] : tables_) {
    tensors.emplace(name, ToTensorData(table.table.Value()));
  }
  return tensors;
}

NamedTensors ExtractSubnet(const NamedTensors& shared,
                           const Architecture& architecture,
                           const TaskShape& task, std::uint64_t seed) {
  return AtTorchBoundary("extracting a subnet", [&] {
    Extraction extraction(shared, seed);
    Discover(extraction, WithoutPrecision(architecture), task);
    return extraction.Take();
  });
}

}  // namespace hone
