#include "train/compress/quantize.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <ATen/ops/fake_quantize_per_tensor_affine.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/tensor.h>

#include "space/base/error.h"
#include "train/compress/bf16_weights.h"
#include "train/compress/calibration_run.h"
#include "train/compress/fuse.h"
#include "train/compress/gptq.h"
#include "train/compress/input_ranges.h"
#include "train/compress/smooth.h"
#include "train/compress/stored_matrix.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

using Matrices = std::map<std::string, QuantizedMatrix>;
using Inputs = std::map<std::string, ActivationQuantization>;

bool HasProductsInA8(const Architecture& architecture) {
  const std::vector<BlockSpec> blocks = AllBlocks(architecture);
  return std::any_of(blocks.begin(), blocks.end(), [](const BlockSpec& block) {
    return block.products == AttentionProducts::kA8;
  });
}

// X^T X of every tensor that quantized layers read, by LinearUse::input.
std::map<std::string, at::Tensor> Hessians(CalibrationRun& run,
                                           const LinearUses& linears) {
  std::set<std::string> inputs;
  for (const auto& [name, use] : linears) {
    if (!use.spec.precision.IsFloat()) inputs.insert(use.input);
  }
  std::map<std::string, at::Tensor> hessians;
  run.Watch([&](const std::string& name, const at::Tensor& input) {
    if (!inputs.contains(name)) return;
    const at::Tensor product = input.t().matmul(input).to(at::kDouble);
    const auto [entry, fresh] = hessians.try_emplace(name, product);
    if (!fresh) entry->second.add_(product);
  });
  return hessians;
}

Matrices RoundWeights(CalibrationRun& run, const LinearUses& linears,
                      const NamedTensors& weights,
                      const QuantizationOptions& options) {
  std::map<std::string, at::Tensor> hessians;
  if (options.rounding == "gptq") hessians = Hessians(run, linears);
  Matrices matrices;
  for (const auto& [name, use] : linears) {
    const LinearSpec& spec = use.spec;
    if (spec.precision.IsFloat()) continue;
    const std::vector<float> values = Floats(weights, name + ".weight");
    const MatrixOptions rounding =
        MatrixOptionsOf(spec.precision, options.reduce_range);
    const auto hessian = hessians.find(use.input);
    matrices[name] =
        hessian == hessians.end()
            ? QuantizeMatrix(values, spec.out, spec.in, spec.precision,
                             rounding)
            : QuantizeByGptq(values, spec.out, spec.in, spec.precision,
                             hessian->second, kGptqDamping, rounding);
  }
  return matrices;
}

// Rounds the tables and leaves what their codes stand for in `tensors`, so that
// the rest is calibrated on it.
Matrices RoundTables(const TableUses& tables, NamedTensors& tensors) {
  Matrices matrices;
  for (const auto& [name, spec] : tables) {
    if (spec.precision.IsFloat()) continue;
    const std::string weight = name + ".weight";
    matrices[name] = QuantizeMatrix(Floats(tensors, weight), spec.rows,
                                    spec.dim, spec.precision);
    tensors[weight] =
        Stored(DType::kF32, {spec.rows, spec.dim}, Dequantize(matrices[name]));
  }
  return matrices;
}

struct MeanInputs {
  at::Tensor exact;
  at::Tensor rounded;
  std::int64_t rows = 0;
};

// W E[x] - W' E[x'] of every quantized layer: what its outputs lose on average.
std::map<std::string, std::vector<float>> MeanErrors(
    CalibrationRun& run, const LinearUses& linears, const NamedTensors& weights,
    const Matrices& matrices, const Inputs& inputs) {
  std::map<std::string, MeanInputs> means;
  run.Watch([&](const std::string& name, const at::Tensor& x_NI) {
    const LinearUse& use = linears.at(name);
    if (use.spec.precision.IsFloat()) return;
    at::Tensor rounded = x_NI;
    if (use.spec.precision.int8_activations) {
      const ActivationQuantization& q = inputs.at(use.input);
      rounded = at::fake_quantize_per_tensor_affine(x_NI, q.scale, q.zero_point,
                                                    0, 255);
    }
    const auto sum = [](const at::Tensor& x) {
      return x.sum(at::IntArrayRef{0}, false, at::kDouble);
    };
    MeanInputs& mean = means[name];
    mean.exact = mean.rows == 0 ? sum(x_NI) : mean.exact.add(sum(x_NI));
    mean.rounded =
        mean.rows == 0 ? sum(rounded) : mean.rounded.add(sum(rounded));
    mean.rows += x_NI.size(0);
  });
  std::map<std::string, std::vector<float>> errors;
  for (const auto& [name, mean] : means) {
    const at::Tensor exact =
        ToTensor(weights.at(name + ".weight"), at::kCPU).to(at::kDouble);
    const at::Tensor rounded = at::tensor(Dequantize(matrices.at(name)))
                                   .view_as(exact)
                                   .to(at::kDouble);
    const at::Tensor error = exact.mv(mean.exact)
                                 .sub(rounded.mv(mean.rounded))
                                 .div(static_cast<double>(mean.rows))
                                 .to(at::kFloat);
    const auto* values = error.const_data_ptr<float>();
    errors[name] = {values, values + error.numel()};
  }
  return errors;
}

}  // namespace

NamedTensors QuantizeNetwork(const Architecture& architecture,
                             const TaskShape& task, const NamedTensors& weights,
                             const TaskData& calibration,
                             const QuantizationOptions& options) {
  HONE_CHECK(calibration.size() > 0);
  return AtTorchBoundary("quantizing", [&] {
    NamedTensors tensors =
        options.fuse ? FuseNorms(architecture, weights) : weights;
    LinearUses linears =
        CalibrationRun(architecture, task, weights, calibration).FindLinears();
    if (options.smoothing) {
      const NamedTensors before = tensors;
      CalibrationRun run(architecture, task, before, calibration);
      tensors = SmoothInputs(architecture, run, linears, std::move(tensors),
                             options.reduce_range);
    }
    const TableUses tables = TablesOf(architecture, task);
    const Matrices rounded_tables = RoundTables(tables, tensors);
    const NamedTensors exact = tensors;
    CalibrationRun run(architecture, task, exact, calibration);
    const Matrices matrices = RoundWeights(run, linears, exact, options);
    const Inputs inputs =
        FindInputQuantizations(run, linears, exact, matrices,
                               {options.calibration, options.percentile,
                                options.symmetric_activations});
    std::map<std::string, std::vector<float>> errors;
    if (options.bias_correction) {
      errors = MeanErrors(run, linears, exact, matrices, inputs);
    }
    for (const auto& [name, matrix] : matrices) {
      const LinearUse& use = linears.at(name);
      std::vector<float> bias = Floats(exact, name + ".bias");
      if (options.bias_correction) {
        for (std::size_t i = 0; i < bias.size(); ++i)
          bias[i] += errors[name][i];
      }
      StoreMatrix(name, use.spec, matrix, tensors);
      tensors[name + ".bias"] = Stored(DType::kF32, {use.spec.out}, bias);
      if (use.spec.precision.int8_activations) {
        StoreInput(name, use.spec, inputs.at(use.input), bias, tensors);
      }
    }
    for (const auto& [name, matrix] : rounded_tables) {
      StoreMatrix(name, AsMatrix(tables.at(name)), matrix, tensors);
    }
    if (HasProductsInA8(architecture)) {
      for (const auto& [name, scale] :
           FindOperandScales(run, {options.calibration, options.percentile})) {
        tensors[name + ".scale"] =
            Stored(DType::kF32, {}, std::vector<float>{scale});
      }
    }
    return InCompute(architecture, std::move(tensors));
  });
}

}  // namespace hone
