#include "train/compress/smooth.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include <ATen/ops/amax.h>
#include <ATen/ops/fake_quantize_per_tensor_affine.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>

#include "train/compress/calibrate.h"
#include "train/compress/matrix_quantization.h"
#include "train/compress/stored_matrix.h"

namespace hone {
namespace {

constexpr std::int64_t kSampledRows = 1024;
constexpr int kStrengths = 10;

// A norm and the layers that read nothing else.
struct Group {
  std::string norm;
  std::vector<std::string> readers;
};

// "encoder.0.attention.query" reads "encoder.0.attention_norm", and so does its
// first factor; an output layer of attention or the second one of a
// feed-forward reads no norm.
std::optional<std::string> NormOf(std::string layer) {
  const std::string factor = ".reduce";
  if (layer.ends_with(factor)) layer.resize(layer.size() - factor.size());
  const std::size_t dot = layer.rfind('.');
  const std::string role = layer.substr(dot + 1);
  const std::string sublayer = layer.substr(0, dot);
  const bool attention = sublayer.ends_with(".attention") &&
                         (role == "query" || role == "key" || role == "value");
  const bool feed_forward =
      sublayer.ends_with(".feed_forward") && (role == "up" || role == "gate");
  const bool cross = sublayer.ends_with(".cross") && role == "query";
  if (!attention && !feed_forward && !cross) return std::nullopt;
  return sublayer + "_norm";
}

// Those with a quantized reader. The others are readers too: what a norm is
// divided by, all of them are multiplied by.
std::vector<Group> GroupsOf(const LinearUses& linears) {
  std::map<std::string, Group> groups;
  std::set<std::string> quantized;
  for (const auto& [name, use] : linears) {
    const auto norm = NormOf(name);
    if (!norm) continue;
    groups[use.input].norm = *norm;
    groups[use.input].readers.push_back(name);
    if (!use.spec.precision.IsFloat()) quantized.insert(use.input);
  }
  std::vector<Group> result;
  for (auto& [input, group] : groups) {
    if (quantized.contains(input)) result.push_back(std::move(group));
  }
  return result;
}

at::Tensor Rounded(const at::Tensor& weight, const LinearSpec& spec,
                   bool reduce_range) {
  if (spec.precision.IsFloat()) return weight;
  const at::Tensor values = weight.contiguous();
  const auto* first = values.const_data_ptr<float>();
  return at::tensor(Dequantize(QuantizeMatrix(
                        {first, first + values.numel()}, spec.out, spec.in,
                        spec.precision,
                        MatrixOptionsOf(spec.precision, reduce_range))))
      .view({spec.out, spec.in});
}

at::Tensor RoundedInput(const at::Tensor& x) {
  ValueRange range;
  range.Add(x.const_data_ptr<float>(), x.numel());
  Histogram histogram(range);
  histogram.Add(x.const_data_ptr<float>(), x.numel());
  const ActivationQuantization q =
      QuantizationOf(histogram.LeastSquaresRange());
  return at::fake_quantize_per_tensor_affine(x, q.scale, q.zero_point, 0, 255);
}

double OutputError(const Group& group, const LinearUses& linears,
                   const std::map<std::string, at::Tensor>& weights,
                   const at::Tensor& x_NI, const at::Tensor& scale_I,
                   bool reduce_range) {
  const at::Tensor scaled = x_NI.div(scale_I).contiguous();
  std::optional<at::Tensor> rounded;
  double error = 0;
  for (const std::string& name : group.readers) {
    const LinearSpec& spec = linears.at(name).spec;
    const at::Tensor& weight = weights.at(name);
    if (spec.precision.int8_activations && !rounded) {
      rounded = RoundedInput(scaled);
    }
    error += at::linear(spec.precision.int8_activations ? *rounded : scaled,
                        Rounded(weight.mul(scale_I), spec, reduce_range))
                 .sub_(at::linear(x_NI, weight))
                 .square_()
                 .sum(at::kDouble)
                 .item<double>();
  }
  return error;
}

// s of the strength that errs least; ones where nothing helps.
at::Tensor BestScale(const Group& group, const LinearUses& linears,
                     const std::map<std::string, at::Tensor>& weights,
                     const at::Tensor& x_NI, bool reduce_range) {
  const at::Tensor input_I = x_NI.abs().amax(0).clamp_min(1e-5);
  at::Tensor weight_I = weights.at(group.readers[0]).abs().amax(0);
  for (const std::string& name : group.readers) {
    weight_I = weight_I.maximum(weights.at(name).abs().amax(0));
  }
  weight_I = weight_I.clamp_min(1e-5);
  at::Tensor best = at::ones_like(input_I);
  double least = OutputError(group, linears, weights, x_NI, best, reduce_range);
  for (int step = 0; step <= kStrengths; ++step) {
    const double strength = step / static_cast<double>(kStrengths);
    at::Tensor scale = input_I.pow(strength).div(weight_I.pow(1 - strength));
    scale = scale.div(scale.log().mean().exp());
    const double error =
        OutputError(group, linears, weights, x_NI, scale, reduce_range);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

}  // namespace

NamedTensors SmoothInputs(const Architecture& architecture, CalibrationRun& run,
                          const LinearUses& linears, NamedTensors weights,
                          bool reduce_range) {
  if (architecture.stem.norm_place == NormPlace::kPost) return weights;
  const std::vector<Group> groups = GroupsOf(linears);
  std::map<std::string, at::Tensor> samples;
  run.Watch([&](const std::string& name, const at::Tensor& input) {
    if (samples.contains(name) || !NormOf(name)) return;
    samples[name] =
        input.narrow(0, 0, std::min(input.size(0), kSampledRows)).clone();
  });
  for (const Group& group : groups) {
    std::map<std::string, at::Tensor> matrices;
    for (const std::string& name : group.readers) {
      matrices[name] = ToTensor(weights.at(name + ".weight"), at::kCPU);
    }
    const at::Tensor scale = BestScale(
        group, linears, matrices, samples.at(group.readers[0]), reduce_range);
    for (const std::string& name : group.readers) {
      weights[name + ".weight"] = ToTensorData(matrices.at(name).mul(scale));
    }
    for (const char* role : {".weight", ".bias"}) {
      const auto found = weights.find(group.norm + role);
      if (found == weights.end()) continue;  // RMSNorm has no bias
      found->second =
          ToTensorData(ToTensor(found->second, at::kCPU).div(scale));
    }
  }
  return weights;
}

}  // namespace hone
