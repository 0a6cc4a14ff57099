#include "train/weight_source.h"

#include <cmath>
#include <cstring>
#include <utility>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_unique2.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/diagonal.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "space/base/error.h"
#include "space/base/rng.h"

namespace hone {
namespace {

at::ScalarType ScalarTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return at::kFloat;
    case DType::kI64:
      return at::kLong;
    case DType::kI32:
      return at::kInt;
    case DType::kI8:
      return at::kChar;
    case DType::kU8:
      return at::kByte;
  }
  throw Error(ErrorCode::kInternal, "unknown element type");
}

DType DTypeOf(at::ScalarType type) {
  for (const DType dtype :
       {DType::kF32, DType::kI64, DType::kI32, DType::kI8, DType::kU8}) {
    if (ScalarTypeOf(dtype) == type) return dtype;
  }
  throw Error(ErrorCode::kInternal,
              std::string("tensors of ") + c10::toString(type) +
                  " cannot be stored; use f32, i64, i32, i8 or u8");
}

std::string ShapeText(at::IntArrayRef shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

void CheckShape(const std::string& name, const at::Tensor& tensor,
                at::IntArrayRef shape) {
  if (tensor.sizes() == shape && tensor.is_floating_point()) return;
  throw Error(ErrorCode::kIntegrity, "weight '" + name + "' is " +
                                         c10::toString(tensor.scalar_type()) +
                                         ShapeText(tensor.sizes()) +
                                         "; the network needs Float" +
                                         ShapeText(shape));
}

}  // namespace

at::Tensor ToTensor(const TensorData& data, at::Device device) {
  at::Tensor tensor = at::empty(data.shape, ScalarTypeOf(data.dtype));
  HONE_CHECK_EQ(data.bytes.size(), tensor.nbytes());
  if (!data.bytes.empty()) {
    std::memcpy(tensor.mutable_data_ptr(), data.bytes.data(),
                data.bytes.size());
  }
  return tensor.to(device);
}

TensorData ToTensorData(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(at::kCPU).contiguous();
  TensorData data{DTypeOf(host.scalar_type()), host.sizes().vec(), {}};
  const auto* bytes = static_cast<const std::byte*>(host.const_data_ptr());
  data.bytes.assign(bytes, bytes + host.nbytes());
  return data;
}

at::Generator MakeGenerator(at::Device device, std::uint64_t seed) {
  if (!device.is_cpu()) {
    throw Error(ErrorCode::kUsage,
                "device " + device.str() + " is not supported; use cpu");
  }
  return at::detail::createCPUGenerator(seed);
}

LinearWeights WeightSource::GetLinear(const std::string& name,
                                      const LinearSpec& spec) {
  return {Get(name + ".weight", WeightRole::kMatrix, {spec.out, spec.in}),
          Get(name + ".bias", WeightRole::kBias, {spec.out}), std::nullopt};
}

at::Tensor WeightSource::GetTable(const std::string& name,
                                  const TableSpec& spec) {
  return Get(name + ".weight", WeightRole::kTable, {spec.rows, spec.dim});
}

at::Tensor WeightSource::Lookup(const std::string& name,
                                const at::Tensor& tokens_BT,
                                const TableSpec& spec) {
  return at::embedding(GetTable(name, spec), tokens_BT);
}

StoredWeights::StoredWeights(const NamedTensors& tensors, at::Device device) {
  for (const auto& [name, data] : tensors) {
    tensors_.emplace(name, ToTensor(data, device));
  }
}

std::optional<float> StoredWeights::OperandScale(const std::string& name) {
  const auto found = tensors_.find(name + ".scale");
  if (found == tensors_.end()) return std::nullopt;
  return found->second.item<float>();
}

const at::Tensor& StoredWeights::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw Error(ErrorCode::kIntegrity,
                "the weights lack '" + name + "', which the network needs");
  }
  return found->second;
}

at::Tensor StoredWeights::Get(const std::string& name, WeightRole,
                              at::IntArrayRef shape) {
  const at::Tensor& tensor = Find(name);
  if (tensor.sizes() != shape || !tensor.is_floating_point()) {
    throw Error(ErrorCode::kIntegrity, "weight '" + name + "' is " +
                                           c10::toString(tensor.scalar_type()) +
                                           ShapeText(tensor.sizes()) +
                                           "; the network needs Float" +
                                           ShapeText(shape));
  }
  return tensor;
}

LinearWeights StoredWeights::GetLinear(const std::string& name,
                                       const LinearSpec& spec) {
  const auto cached = dequantized_.find(name);
  if (cached != dequantized_.end()) return cached->second;
  const at::Tensor& weight = Find(name + ".weight");
  if (weight.is_floating_point()) {
    return WeightSource::GetLinear(name, spec);
  }
  HONE_CHECK(weight.sizes() == at::IntArrayRef({spec.out, spec.in}));
  return dequantized_.emplace(name, Dequantize(name)).first->second;
}

at::Tensor StoredWeights::GetTable(const std::string& name,
                                   const TableSpec& spec) {
  const auto cached = dequantized_.find(name);
  if (cached != dequantized_.end()) return cached->second.weight;
  const at::Tensor& weight = Find(name + ".weight");
  if (weight.is_floating_point()) return WeightSource::GetTable(name, spec);
  HONE_CHECK(weight.sizes() == at::IntArrayRef({spec.rows, spec.dim}));
  return dequantized_
      .emplace(name, LinearWeights{DequantizeMatrix(name), {}, std::nullopt})
      .first->second.weight;
}

at::Tensor StoredWeights::DequantizeMatrix(const std::string& name) const {
  at::Tensor codes = Find(name + ".weight");
  if (tensors_.contains(name + ".weight_levels")) {
    codes = Find(name + ".weight_levels")
                .index_select(0, codes.flatten().to(at::kInt))
                .view_as(codes);
  }
  const at::Tensor& scale = Find(name + ".weight_scale");
  at::Tensor levels = codes.to(at::kFloat).view({scale.numel(), -1});
  if (tensors_.contains(name + ".weight_zero_point")) {
    levels = levels.sub(Find(name + ".weight_zero_point").view({-1, 1}));
  }
  return levels.mul(scale.view({-1, 1})).view_as(codes);
}

LinearWeights StoredWeights::Dequantize(const std::string& name) const {
  const at::Tensor weight = DequantizeMatrix(name);
  const at::Tensor& scale = Find(name + ".weight_scale");
  const at::Tensor& bias = Find(name + ".bias");
  if (bias.scalar_type() != at::kInt) return {weight, bias, std::nullopt};
  const ActivationQuantization input{
      Find(name + ".input_scale").item<float>(),
      Find(name + ".input_zero_point").item<std::int64_t>()};
  return {weight, bias.to(at::kFloat).mul(scale.mul(input.scale)), input};
}

at::Tensor NewWeight(const std::string& name, WeightRole role,
                     at::IntArrayRef shape, std::uint64_t seed,
                     const at::TensorOptions& tensors) {
  const at::NoGradGuard no_grad;
  at::Generator generator =
      MakeGenerator(tensors.device(), StreamSeed(seed, 0, "initial " + name));
  switch (role) {
    case WeightRole::kMatrix: {
      const double fan = static_cast<double>(shape[0] + shape[1]);
      const double bound = std::sqrt(6 / fan);
      return at::empty(shape, tensors).uniform_(-bound, bound, generator);
    }
    case WeightRole::kTable:
      return at::empty(shape, tensors).normal_(0, kTableDeviation, generator);
    case WeightRole::kGain:
      return at::ones(shape, tensors);
    case WeightRole::kBias:
      return at::zeros(shape, tensors);
    case WeightRole::kRandomFeatures:
      break;
  }
  throw Error(ErrorCode::kInternal, "unknown role of weight '" + name + "'");
}

at::Tensor NewFeatures(const std::string& name, std::int64_t rows,
                       std::int64_t columns, std::uint64_t seed,
                       std::int64_t draw, const at::TensorOptions& tensors) {
  const at::NoGradGuard no_grad;
  at::Generator generator = MakeGenerator(
      tensors.device(), StreamSeed(seed, draw, "features " + name));
  const auto normal = [&](std::int64_t m, std::int64_t n) {
    return at::empty({m, n}, tensors).normal_(0, 1, generator);
  };
  std::vector<at::Tensor> groups;
  for (std::int64_t made = 0; made < rows; made += columns) {
    // With R's diagonal positive, Q is uniform among orthogonal matrices
    // (Mezzadri 2007); without, its rows lean to one side.
    const auto [q, r] = at::linalg_qr(normal(columns, columns));
    const at::Tensor directions = q.mul(r.diagonal().sign());
    const at::Tensor lengths =
        normal(columns, columns).norm(2, {1}, /*keepdim=*/true);
    groups.push_back(directions.mul(lengths));
  }
  return at::cat(groups, 0).narrow(0, 0, rows).contiguous();
}

TrainableWeights::TrainableWeights(TrainableWeightsOptions options)
    : options_(std::move(options)) {}

at::Tensor TrainableWeights::Initial(const std::string& name, WeightRole role,
                                     at::IntArrayRef shape) const {
  const auto given = options_.initial.find(name);
  if (given == options_.initial.end()) {
    return NewWeight(name, role, shape, options_.seed, options_.tensors);
  }
  const at::NoGradGuard no_grad;
  const at::Tensor value = ToTensor(given->second, options_.tensors.device());
  CheckShape(name, value, shape);
  return value.to(options_.tensors.dtype());
}

at::Tensor TrainableWeights::Features(const std::string& name,
                                      at::IntArrayRef shape) const {
  if (options_.initial.contains(name)) {
    return Initial(name, WeightRole::kRandomFeatures, shape);
  }
  return NewFeatures(name, shape[0], shape[1], options_.seed, 0,
                     options_.tensors);
}

at::Tensor TrainableWeights::Get(const std::string& name, WeightRole role,
                                 at::IntArrayRef shape) {
  if (role == WeightRole::kRandomFeatures) {
    auto drawn = features_.find(name);
    if (drawn == features_.end()) {
      drawn = features_.emplace(name, Features(name, shape)).first;
    }
    return drawn->second;
  }
  auto found = leaves_.find(name);
  if (found == leaves_.end()) {
    Leaf leaf{role, Initial(name, role, shape).set_requires_grad(true)};
    found = leaves_.emplace(name, std::move(leaf)).first;
  }
  HONE_CHECK(found->second.value.sizes() == shape);
  return found->second.value;
}

void TrainableWeights::RedrawFeatures(std::int64_t draw) {
  for (auto& [name, value] : features_) {
    if (options_.initial.contains(name)) continue;
    value = NewFeatures(name, value.size(0), value.size(1), options_.seed, draw,
                        options_.tensors);
  }
}

at::Tensor TrainableWeights::Lookup(const std::string& name,
                                    const at::Tensor& tokens_BT,
                                    const TableSpec& spec) {
  const std::string weight = name + ".weight";
  auto found = tables_.find(weight);
  if (found == tables_.end()) {
    AdamTable table(Initial(weight, WeightRole::kTable, {spec.rows, spec.dim}),
                    options_.adam);
    found = tables_.emplace(weight, std::move(table)).first;
  }
  const auto [rows_U, places_BT, counts] =
      at::_unique2(tokens_BT, /*sorted=*/true, /*return_inverse=*/true);
  return at::embedding(found->second.Fetch(rows_U), places_BT);
}

void TrainableWeights::CheckInitialUsed() const {
  for (const auto& [name, value] : options_.initial) {
    if (leaves_.contains(name) || tables_.contains(name) ||
        features_.contains(name)) {
      continue;
    }
    throw Error(ErrorCode::kUsage, "an initial value was given for '" + name +
                                       "', which the network does not have");
  }
}

std::vector<at::Tensor> TrainableWeights::Leaves(bool decayed) const {
  std::vector<at::Tensor> leaves;
  for (const auto& [name, leaf] : leaves_) {
    if ((leaf.role == WeightRole::kMatrix) == decayed) {
      leaves.push_back(leaf.value);
    }
  }
  return leaves;
}

NamedTensors TrainableWeights::Snapshot() {
  NamedTensors tensors;
  for (const auto& [name, leaf] : leaves_) {
    tensors.emplace(name, ToTensorData(leaf.value));
  }
  for (const auto& [name, value] : features_) {
    tensors.emplace(name, ToTensorData(value));
  }
  for (auto& [name, table] : tables_) {
    tensors.emplace(name, ToTensorData(table.Value()));
  }
  return tensors;
}

}  // namespace hone
