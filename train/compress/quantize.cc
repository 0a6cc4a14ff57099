#include "train/compress/quantize.h"

#include <algorithm>
#include <map>
#include <string>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/fake_quantize_per_tensor_affine.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>

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

std::vector<float> Floats(const NamedTensors& tensors,
                          const std::string& name) {
  const TensorData& data = tensors.at(name);
  const auto* values = data.data<float>();
  return {values, values + data.elements()};
}

// The 8-bit form of a layer's weights.
QuantizedMatrix Rows8(const NamedTensors& tensors, const std::string& name,
                      const LinearSpec& spec,
                      const QuantizationOptions& options) {
  return QuantizeRows(Floats(tensors, name + ".weight"), spec.out, spec.in,
                      options.reduce_range ? 63 : 127);
}

// Runs the network over the calibration data and watches its linear layers.
class Calibration {
 public:
  Calibration(const Architecture& architecture, const TaskShape& task,
              const NamedTensors& weights, const TaskData& data)
      : architecture_(architecture),
        task_(task),
        tensors_(weights),
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

  // The quantization of each tensor that w8a8 layers read, by its name.
  std::map<std::string, ActivationQuantization> FindInputs(
      const std::map<std::string, LinearUse>& linears,
      const QuantizationOptions& options) {
    const Streams streams = Observe(linears);
    const std::vector<std::string>& names = CalibratorNames();
    const auto chosen =
        std::find(names.begin(), names.end(), options.calibration);
    if (chosen == names.end())
      return LeastOutputError(streams, linears, options);
    std::map<std::string, ActivationQuantization> result;
    for (const auto& [name, stream] : streams) {
      result[name] = QuantizationOf(stream.RangeBy(
          static_cast<Calibrator>(chosen - names.begin()), options.percentile));
    }
    return result;
  }

 private:
  using Streams = std::map<std::string, StreamStatistics>;

  Streams Observe(const std::map<std::string, LinearUse>& linears) {
    Streams streams;
    for (const auto& [name, use] : linears) {
      if (use.spec.precision == Precision::kW8A8) streams[use.input];
    }
    const auto watch = [&](auto add) {
      Watch([&](const std::string& name, const at::Tensor& input) {
        const auto found = streams.find(name);
        if (found == streams.end()) return;
        add(name, found->second, input);
      });
    };
    if (streams.empty()) return {};
    watch([](const std::string& name, StreamStatistics& stream,
             const at::Tensor& input) {
      if (!at::isfinite(input).all().item<bool>()) {
        throw Error(ErrorCode::kUsage,
                    "cannot quantize: an input of layer '" + name +
                        "' is not finite; the training that made these "
                        "weights diverged");
      }
      stream.AddToRange(input.const_data_ptr<float>(), input.numel());
    });
    for (auto& [name, stream] : streams) stream.StartHistograms();
    watch([](const std::string&, StreamStatistics& stream,
             const at::Tensor& input) {
      stream.AddToHistograms(input.const_data_ptr<float>(), input.numel());
    });
    return streams;
  }

  // A third pass: what every calibrator makes of the outputs of the layers.
  std::map<std::string, ActivationQuantization> LeastOutputError(
      const Streams& streams, const std::map<std::string, LinearUse>& linears,
      const QuantizationOptions& options) {
    struct Candidate {
      ActivationQuantization quantization;
      double error = 0;
    };
    std::map<std::string, std::vector<Candidate>> candidates;
    for (const auto& [name, stream] : streams) {
      for (std::size_t i = 0; i < CalibratorNames().size(); ++i) {
        candidates[name].push_back({QuantizationOf(
            stream.RangeBy(static_cast<Calibrator>(i), options.percentile))});
      }
    }
    std::map<std::string, std::vector<float>> rounded_rows;
    for (const auto& [name, use] : linears) {
      if (use.spec.precision != Precision::kW8A8) continue;
      rounded_rows[name] = Dequantize(Rows8(tensors_, name, use.spec, options));
    }
    Watch([&](const std::string& name, const at::Tensor& input) {
      const LinearUse& use = linears.at(name);
      if (use.spec.precision != Precision::kW8A8) return;
      const at::Tensor weight = weights_.GetLinear(name, use.spec).weight;
      const at::Tensor exact = at::linear(input, weight);
      const at::Tensor rounded = at::from_blob(rounded_rows.at(name).data(),
                                               weight.sizes(), at::kFloat);
      for (Candidate& candidate : candidates.at(use.input)) {
        const at::Tensor codes = at::fake_quantize_per_tensor_affine(
            input, candidate.quantization.scale,
            candidate.quantization.zero_point, 0, 255);
        candidate.error += at::linear(codes, rounded)
                               .sub_(exact)
                               .square_()
                               .sum(at::kDouble)
                               .item<double>();
      }
    });
    std::map<std::string, ActivationQuantization> result;
    for (const auto& [name, list] : candidates) {
      result[name] =
          std::min_element(list.begin(), list.end(),
                           [](const Candidate& a, const Candidate& b) {
                             return a.error < b.error;
                           })
              ->quantization;
    }
    return result;
  }

  // Shows every linear layer's inputs, over all of the calibration data.
  template <typename Watcher>
  void Watch(Watcher&& watcher) {
    const EagerOptions options{.observer = [&](const std::string& name,
                                               const LinearSpec&,
                                               const at::Tensor& input) {
      watcher(name, input.contiguous());
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
  const NamedTensors& tensors_;
  StoredWeights weights_;
  std::vector<Batch> batches_;
  const TaskData& data_;
};

template <typename T>
TensorData Stored(DType dtype, std::vector<std::int64_t> shape,
                  const std::vector<T>& values) {
  HONE_CHECK_EQ(BytesOf(dtype), sizeof(T));
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  return {dtype, std::move(shape), {bytes, bytes + values.size() * sizeof(T)}};
}

void StoreW8A8(const std::string& name, const LinearSpec& spec,
               const ActivationQuantization& input,
               const QuantizationOptions& options, NamedTensors& tensors) {
  const QuantizedMatrix matrix = Rows8(tensors, name, spec, options);
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

const std::vector<std::string>& CalibrationChoices() {
  static const std::vector<std::string> choices = [] {
    std::vector<std::string> names = CalibratorNames();
    names.emplace_back("auto");
    return names;
  }();
  return choices;
}

NamedTensors QuantizeNetwork(const Architecture& architecture,
                             const TaskShape& task, const NamedTensors& weights,
                             const TaskData& calibration,
                             const QuantizationOptions& options) {
  HONE_CHECK(calibration.size() > 0);
  return AtTorchBoundary("quantizing", [&] {
    Calibration run(architecture, task, weights, calibration);
    const auto linears = run.FindLinears();
    const auto inputs = run.FindInputs(linears, options);
    NamedTensors tensors = weights;
    for (const auto& [name, use] : linears) {
      if (use.spec.precision == Precision::kW8A8) {
        StoreW8A8(name, use.spec, inputs.at(use.input), options, tensors);
      } else if (use.spec.precision == Precision::kW4) {
        StoreW4(name, use.spec, W4BlockFor(use.spec.in, options.w4_block),
                tensors);
      }
    }
    return tensors;
  });
}

}  // namespace hone
