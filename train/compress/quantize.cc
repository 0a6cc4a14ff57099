#include "train/compress/quantize.h"

#include <map>
#include <string>

#include <ATen/core/grad_mode.h>

#include "space/base/error.h"
#include "space/network/cost_ops.h"
#include "space/network/transformer.h"
#include "train/compress/calibrate.h"
#include "train/compress/matrix_quantization.h"
#include "train/eager_ops.h"
#include "train/forward.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

constexpr std::int64_t kCalibrationBatch = 64;

// A linear layer as the network asked for it. Layers that read one and the same
// tensor (query, key, value) share the entry that `input` names, and with it
// scale and zero point.
struct LinearUse {
  LinearSpec spec;
  std::string input;
};

// Runs the network over the calibration data and watches its linear layers.
class Calibration {
 public:
  Calibration(const Architecture& architecture, const TaskShape& task,
              const NamedTensors& weights, const TaskData& data)
      : architecture_(architecture),
        task_(task),
        weights_(weights, at::kCPU),
        batches_(OrderedBatches(data, kCalibrationBatch)),
        data_(data) {}

  std::map<std::string, LinearUse> FindLinears() {
    std::map<std::string, LinearUse> linears;
    at::Tensor last_input;
    std::string last_name;
    const EagerOptions options{.observer = [&](const std::string& name,
                                               const LinearSpec& spec,
                                               const at::Tensor& input) {
      if (!input.is_same(last_input)) last_name = name;
      last_input = input;
      linears[name] = {spec, last_name};
    }};
    Run(options, 1);
    return linears;
  }

  std::map<std::string, ActivationQuantization> FindRanges(
      const std::map<std::string, LinearUse>& linears, bool least_squares) {
    std::map<std::string, ValueRange> ranges;
    for (const auto& [name, use] : linears) {
      if (use.spec.precision == Precision::kW8A8) ranges[use.input];
    }
    if (ranges.empty()) return {};
    Watch(ranges);
    if (least_squares) {
      std::map<std::string, Histogram> histograms;
      for (const auto& [name, range] : ranges) {
        histograms.emplace(name, Histogram(range));
      }
      Watch(histograms);
      for (auto& [name, range] : ranges) {
        range = histograms.at(name).LeastSquaresRange();
      }
    }
    std::map<std::string, ActivationQuantization> result;
    for (const auto& [name, range] : ranges) {
      result[name] = QuantizationOf(range);
    }
    return result;
  }

 private:
  // Adds the inputs of the layers that `statistics` names.
  template <typename Statistic>
  void Watch(std::map<std::string, Statistic>& statistics) {
    const EagerOptions options{.observer = [&](const std::string& name,
                                               const LinearSpec&,
                                               const at::Tensor& input) {
      const auto found = statistics.find(name);
      if (found == statistics.end()) return;
      const at::Tensor values = input.contiguous();
      found->second.Add(values.const_data_ptr<float>(), values.numel());
    }};
    Run(options, batches_.size());
  }

  void Run(const EagerOptions& options, std::size_t batches) {
    const at::NoGradGuard no_grad;
    EagerOps ops(weights_, options);
    for (std::size_t i = 0; i < batches; ++i) {
      const NetworkBatch batch =
          MakeNetworkBatch(data_, task_, batches_[i], at::kCPU);
      Transformer(ops, architecture_, task_, batch.input, batch.target);
    }
  }

  const Architecture& architecture_;
  const TaskShape& task_;
  StoredWeights weights_;
  std::vector<Batch> batches_;
  const TaskData& data_;
};

std::vector<float> Floats(const NamedTensors& tensors,
                          const std::string& name) {
  const TensorData& data = tensors.at(name);
  const auto* values = data.data<float>();
  return {values, values + data.elements()};
}

template <typename T>
TensorData Stored(DType dtype, std::vector<std::int64_t> shape,
                  const std::vector<T>& values) {
  HONE_CHECK_EQ(BytesOf(dtype), sizeof(T));
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  return {dtype, std::move(shape), {bytes, bytes + values.size() * sizeof(T)}};
}

void StoreW8A8(const std::string& name, const LinearSpec& spec,
               const ActivationQuantization& input, std::int64_t limit,
               NamedTensors& tensors) {
  const QuantizedMatrix matrix =
      QuantizeRows(Floats(tensors, name + ".weight"), spec.out, spec.in, limit);
  const std::vector<std::int32_t> bias =
      QuantizeBias(Floats(tensors, name + ".bias"), input.scale, matrix.scales);
  tensors[name + ".weight"] =
      Stored(DType::kI8, {spec.out, spec.in}, matrix.codes);
  tensors[name + ".weight_scale"] =
      Stored(DType::kF32, {spec.out}, matrix.scales);
  tensors[name + ".input_scale"] =
      Stored(DType::kF32, {}, std::vector<float>{input.scale});
  tensors[name + ".input_zero_point"] = Stored(
      DType::kU8, {},
      std::vector<std::uint8_t>{static_cast<std::uint8_t>(input.zero_point)});
  tensors[name + ".bias"] = Stored(DType::kI32, {spec.out}, bias);
}

void StoreW4(const std::string& name, const LinearSpec& spec,
             std::int64_t block, NamedTensors& tensors) {
  const QuantizedMatrix matrix = QuantizeBlocks4(
      Floats(tensors, name + ".weight"), spec.out, spec.in, block);
  tensors[name + ".weight"] =
      Stored(DType::kI8, {spec.out, spec.in}, matrix.codes);
  tensors[name + ".weight_scale"] =
      Stored(DType::kF32, {spec.out, spec.in / block}, matrix.scales);
}

}  // namespace

NamedTensors QuantizeNetwork(const Architecture& architecture,
                             const TaskShape& task, const NamedTensors& weights,
                             const TaskData& calibration,
                             const QuantizationOptions& options) {
  HONE_CHECK(calibration.size() > 0);
  return AtTorchBoundary("quantizing", [&] {
    Calibration run(architecture, task, weights, calibration);
    const auto linears = run.FindLinears();
    const auto inputs = run.FindRanges(linears, options.calibration == "mse");
    NamedTensors tensors = weights;
    for (const auto& [name, use] : linears) {
      if (use.spec.precision == Precision::kW8A8) {
        StoreW8A8(name, use.spec, inputs.at(use.input),
                  options.reduce_range ? 63 : 127, tensors);
      } else if (use.spec.precision == Precision::kW4) {
        StoreW4(name, use.spec, W4BlockFor(use.spec.in, options.w4_block),
                tensors);
      }
    }
    return tensors;
  });
}

}  // namespace hone
