#include "train/compress/input_ranges.h"

#include <algorithm>
#include <functional>

#include <ATen/ops/fake_quantize_per_tensor_affine.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>

#include "space/base/error.h"

namespace hone {
namespace {

using Streams = std::map<std::string, StreamStatistics>;

using Watch = std::function<void(const CalibrationRun::Watcher&)>;

// Two passes over what `watch` shows: those of `streams`, or all where there
// are none yet.
void Gather(const Watch& watch, Streams& streams) {
  const bool all = streams.empty();
  watch([&](const std::string& name, const at::Tensor& x) {
    if (!all && !streams.contains(name)) return;
    if (!at::isfinite(x).all().item<bool>()) {
      throw Error(ErrorCode::kUsage,
                  "cannot quantize: an input of layer '" + name +
                      "' is not finite; the training that made these weights "
                      "diverged");
    }
    streams[name].AddToRange(x.const_data_ptr<float>(), x.numel());
  });
  for (auto& [name, stream] : streams) stream.StartHistograms();
  watch([&](const std::string& name, const at::Tensor& x) {
    const auto found = streams.find(name);
    if (found == streams.end()) return;
    found->second.AddToHistograms(x.const_data_ptr<float>(), x.numel());
  });
}

Streams Observe(CalibrationRun& run, const LinearUses& linears) {
  Streams streams;
  for (const auto& [name, use] : linears) {
    if (use.spec.precision.int8_activations) streams[use.input];
  }
  if (streams.empty()) return {};
  Gather([&](const auto& watcher) { run.Watch(watcher); }, streams);
  return streams;
}

ActivationQuantization Quantization(const StreamStatistics& stream,
                                    Calibrator calibrator,
                                    const InputRangeOptions& options) {
  const ValueRange range = stream.RangeBy(calibrator, options.percentile);
  return options.symmetric ? SymmetricQuantizationOf(range)
                           : QuantizationOf(range);
}

struct Candidate {
  ActivationQuantization quantization;
  double error = 0;
};

// A third pass: what every calibrator makes of the outputs of the layers.
std::map<std::string, ActivationQuantization> LeastOutputError(
    CalibrationRun& run, const Streams& streams, const LinearUses& linears,
    const NamedTensors& weights,
    const std::map<std::string, QuantizedMatrix>& matrices,
    const InputRangeOptions& options) {
  std::map<std::string, std::vector<Candidate>> candidates;
  for (const auto& [name, stream] : streams) {
    for (std::size_t i = 0; i < CalibratorNames().size(); ++i) {
      candidates[name].push_back(
          {Quantization(stream, static_cast<Calibrator>(i), options)});
    }
  }
  std::map<std::string, std::pair<at::Tensor, at::Tensor>> exact_and_rounded;
  std::map<std::string, std::vector<float>> rounded;
  for (const auto& [name, use] : linears) {
    if (!use.spec.precision.int8_activations) continue;
    rounded[name] = Dequantize(matrices.at(name));
    exact_and_rounded[name] = {
        ToTensor(weights.at(name + ".weight"), at::kCPU),
        at::from_blob(rounded[name].data(), {use.spec.out, use.spec.in},
                      at::kFloat)};
  }
  run.Watch([&](const std::string& name, const at::Tensor& input) {
    const auto found = exact_and_rounded.find(name);
    if (found == exact_and_rounded.end()) return;
    const at::Tensor exact = at::linear(input, found->second.first);
    for (Candidate& candidate : candidates.at(linears.at(name).input)) {
      const at::Tensor codes = at::fake_quantize_per_tensor_affine(
          input, candidate.quantization.scale,
          candidate.quantization.zero_point, 0, 255);
      candidate.error += at::linear(codes, found->second.second)
                             .sub_(exact)
                             .square_()
                             .sum(at::kDouble)
                             .item<double>();
    }
  });
  std::map<std::string, ActivationQuantization> result;
  for (const auto& [name, list] : candidates) {
    result[name] = std::min_element(list.begin(), list.end(),
                                    [](const Candidate& a, const Candidate& b) {
                                      return a.error < b.error;
                                    })
                       ->quantization;
  }
  return result;
}

}  // namespace

std::map<std::string, ActivationQuantization> FindInputQuantizations(
    CalibrationRun& run, const LinearUses& linears, const NamedTensors& weights,
    const std::map<std::string, QuantizedMatrix>& matrices,
    const InputRangeOptions& options) {
  const Streams streams = Observe(run, linears);
  const std::vector<std::string>& names = CalibratorNames();
  const auto chosen =
      std::find(names.begin(), names.end(), options.calibration);
  if (chosen == names.end()) {
    return LeastOutputError(run, streams, linears, weights, matrices, options);
  }
  std::map<std::string, ActivationQuantization> result;
  for (const auto& [name, stream] : streams) {
    result[name] = Quantization(
        stream, static_cast<Calibrator>(chosen - names.begin()), options);
  }
  return result;
}

std::map<std::string, float> FindOperandScales(
    CalibrationRun& run, const InputRangeOptions& options) {
  Streams streams;
  Gather([&](const auto& watcher) { run.WatchOperands(watcher); }, streams);
  const std::vector<std::string>& names = CalibratorNames();
  const auto chosen =
      std::find(names.begin(), names.end(), options.calibration);
  const Calibrator calibrator =
      chosen == names.end() ? Calibrator::kMse
                            : static_cast<Calibrator>(chosen - names.begin());
  std::map<std::string, float> scales;
  for (const auto& [name, stream] : streams) {
    const ValueRange range = stream.RangeBy(calibrator, options.percentile);
    const double largest = std::max(-range.low, range.high);
    scales[name] =
        largest > 0 ? static_cast<float>(largest / kLargestOperandCode) : 1;
  }
  return scales;
}

}  // namespace hone
