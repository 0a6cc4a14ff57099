#include "train/compress/qat_weights.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include "train/compress/matrix_quantization.h"
#include "train/compress/stored_matrix.h"

namespace hone {
namespace {

constexpr double kActivationCodes = 255;
// Of a name as RoundOperand gives it (space/network/attention/dense.h).
constexpr char kOperandScaleEnd[] = "_operand.scale";

std::vector<std::int8_t> Ascending(const TensorData& stored) {
  const auto* values = stored.data<std::int8_t>();
  std::vector<std::int8_t> levels(values, values + stored.elements());
  // A table of fewer levels than codes is filled up at its end.
  while (levels.size() > 1 && levels.back() <= levels[levels.size() - 2]) {
    levels.pop_back();
  }
  return levels;
}

// 127, or 63 of a reduced range: the largest weight of a row has that code.
std::int64_t LargestCode(const TensorData& codes) {
  const auto* values = codes.data<std::int8_t>();
  std::int64_t largest = 1;
  for (std::int64_t i = 0; i < codes.elements(); ++i) {
    largest = std::max<std::int64_t>(largest, std::abs(int{values[i]}));
  }
  return largest;
}

at::Tensor Number(double value) {
  return at::full({}, value, at::TensorOptions().dtype(at::kFloat));
}

template <typename T>
std::vector<T> ValuesOf(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.flatten().to(at::kDouble).contiguous();
  const auto* values = flat.const_data_ptr<double>();
  std::vector<T> result;
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    result.push_back(static_cast<T>(values[i]));
  }
  return result;
}

}  // namespace

at::Tensor QatWeights::Grid::Scale() const {
  return ScaleGradient(leaf, gradient_factor).exp().mul(start);
}

QatWeights::Grid QatWeights::WeightGrid(const std::string& name,
                                        const LinearSpec& spec,
                                        const NamedTensors& quantized) {
  const Precision& precision = spec.precision;
  Grid grid;
  grid.start =
      ToTensor(quantized.at(name + ".weight_scale"), at::kCPU).view({-1, 1});
  const auto levels = quantized.find(name + ".weight_levels");
  const double codes = std::exp2(static_cast<double>(precision.weight_bits));
  if (precision.levels == Levels::kAsymmetric) {
    grid.zero = ToTensor(quantized.at(name + ".weight_zero_point"), at::kCPU)
                    .to(at::kFloat)
                    .view({-1, 1});
    grid.range = {grid.zero.neg(), grid.zero.neg().add(codes - 1)};
  } else if (levels != quantized.end()) {
    const std::vector<std::int8_t> table = Ascending(levels->second);
    grid.range = {Number(table.front()), Number(table.back()),
                  at::tensor(std::vector<float>(table.begin(), table.end()))};
  } else {
    const CodeLevels numbers(precision,
                             LargestCode(quantized.at(name + ".weight")));
    grid.range = {Number(numbers.lowest()), Number(numbers.highest())};
  }
  const auto per_scale =
      static_cast<double>(spec.in * spec.out / grid.start.numel());
  grid.gradient_factor = 1 / std::sqrt(per_scale * codes / 2);
  grid.leaf = at::zeros_like(grid.start).requires_grad_();
  return grid;
}

QatWeights::Grid QatWeights::InputGrid(const std::string& name,
                                       const LinearSpec& spec,
                                       const NamedTensors& quantized) {
  Grid grid;
  grid.start = ToTensor(quantized.at(name + ".input_scale"), at::kCPU);
  grid.zero = ToTensor(quantized.at(name + ".input_zero_point"), at::kCPU)
                  .to(at::kFloat);
  grid.range = {grid.zero.neg(), grid.zero.neg().add(kActivationCodes)};
  grid.gradient_factor =
      1 / std::sqrt(static_cast<double>(spec.in) * kActivationCodes);
  grid.leaf = at::zeros_like(grid.start).requires_grad_();
  return grid;
}

QatWeights::QatWeights(WeightSource& inner, const LinearUses& linears,
                       const TableUses& tables, const NamedTensors& quantized)
    : inner_(inner) {
  for (const auto& [name, spec] : tables) {
    if (spec.precision.IsFloat()) continue;
    tables_[name] = spec;
    weights_[name] = WeightGrid(name, AsMatrix(spec), quantized);
  }
  for (const auto& [name, use] : linears) {
    if (use.spec.precision.IsFloat()) continue;
    linears_[name] = use;
    weights_[name] = WeightGrid(name, use.spec, quantized);
    if (use.spec.precision.int8_activations && !inputs_.contains(use.input)) {
      inputs_[use.input] = InputGrid(name, use.spec, quantized);
    }
  }
  for (const auto& [name, tensor] : quantized) {
    if (name.ends_with(kOperandScaleEnd)) {
      operands_[name] = *tensor.data<float>();
    }
  }
}

std::optional<float> QatWeights::OperandScale(const std::string& name) {
  const auto found = operands_.find(name + ".scale");
  if (found == operands_.end()) return std::nullopt;
  return found->second;
}

at::Tensor QatWeights::Get(const std::string& name, WeightRole role,
                           at::IntArrayRef shape) {
  return inner_.Get(name, role, shape);
}

at::Tensor QatWeights::GetTable(const std::string& name,
                                const TableSpec& spec) {
  const at::Tensor table_VD = inner_.GetTable(name, spec);
  if (!tables_.contains(name)) return table_VD;
  const Grid& grid = weights_.at(name);
  return RoundThrough(table_VD, grid.Scale(), grid.range);
}

at::Tensor QatWeights::Lookup(const std::string& name,
                              const at::Tensor& tokens_BT,
                              const TableSpec& spec) {
  const at::Tensor x_BTD = inner_.Lookup(name, tokens_BT, spec);
  if (!tables_.contains(name)) return x_BTD;
  const Grid& grid = weights_.at(name);
  return RoundThrough(x_BTD, at::embedding(grid.Scale(), tokens_BT),
                      grid.range);
}

LinearWeights QatWeights::GetLinear(const std::string& name,
                                    const LinearSpec& spec) {
  LinearWeights weights = inner_.GetLinear(name, spec);
  const auto found = weights_.find(name);
  if (found == weights_.end()) return weights;
  const Grid& grid = found->second;
  weights.weight =
      RoundThrough(weights.weight.reshape({grid.start.numel(), -1}),
                   grid.Scale(), grid.range)
          .view_as(weights.weight);
  const auto input = inputs_.find(linears_.at(name).input);
  if (spec.precision.int8_activations) {
    weights.learned_input = {input->second.Scale(), input->second.range};
  }
  return weights;
}

std::vector<at::Tensor> QatWeights::Leaves() const {
  std::vector<at::Tensor> leaves;
  for (const auto& [name, grid] : weights_) leaves.push_back(grid.leaf);
  for (const auto& [name, grid] : inputs_) leaves.push_back(grid.leaf);
  return leaves;
}

// Codes and scales of a matrix as they are now, in place of its weights.
void QatWeights::StoreRounded(const std::string& name, const LinearSpec& spec,
                              NamedTensors& weights) const {
  const Grid& grid = weights_.at(name);
  const at::Tensor scale = grid.Scale();
  const at::Tensor weight = ToTensor(weights.at(name + ".weight"), at::kCPU)
                                .view({scale.numel(), -1});
  at::Tensor codes = NearestLevel(weight.div(scale), grid.range);
  QuantizedMatrix matrix{spec.out, spec.in, weight.size(1), {}, {}, {}, {}};
  if (grid.zero.defined()) {
    codes = codes.add(grid.zero);
    matrix.zeros = ValuesOf<std::int16_t>(grid.zero);
  }
  matrix.codes = ValuesOf<std::int16_t>(codes);
  matrix.scales = ValuesOf<float>(scale);
  if (grid.range.table) {
    matrix.levels = ValuesOf<std::int8_t>(*grid.range.table);
  }
  StoreMatrix(name, spec, matrix, weights);
}

NamedTensors QatWeights::Quantized(NamedTensors weights) const {
  const at::NoGradGuard no_grad;
  for (const auto& [name, spec] : tables_) {
    StoreRounded(name, AsMatrix(spec), weights);
  }
  for (const auto& [name, scale] : operands_) {
    weights[name] = Stored(DType::kF32, {}, std::vector<float>{scale});
  }
  for (const auto& [name, use] : linears_) {
    const std::vector<float> bias = Floats(weights, name + ".bias");
    StoreRounded(name, use.spec, weights);
    if (!use.spec.precision.int8_activations) continue;
    const auto input = inputs_.find(use.input);
    StoreInput(name, use.spec,
               {input->second.Scale().item<float>(),
                input->second.zero.item<std::int64_t>()},
               bias, weights);
  }
  return weights;
}

}  // namespace hone
