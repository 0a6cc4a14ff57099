#include "eval/engine/openvino_common.h"

#include <map>
#include <tuple>

#include <malloc.h>

namespace hone {

std::int64_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

ov::AnyMap Properties(const EngineOptions& options) {
  // Two engines may be alive in one process, and pinned threads of both would
  // share a core.
  return {
      ov::hint::inference_precision(ov::element::f32),
      ov::inference_num_threads(static_cast<int>(options.threads)),
      ov::num_streams(1),
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
      ov::hint::enable_cpu_pinning(false),
      ov::hint::dynamic_quantization_group_size(
          static_cast<std::uint64_t>(options.activation_group)),
  };
}

std::vector<float> Floats(const ov::Tensor& tensor) {
  const float* values = tensor.data<const float>();
  return {values, values + tensor.get_size()};
}

std::vector<KernelCount> KernelsOf(
    const std::vector<ov::CompiledModel>& models) {
  std::map<std::tuple<std::string, std::string, std::string>, std::int64_t>
      counts;
  for (const ov::CompiledModel& model : models) {
    for (const auto& node : model.get_runtime_model()->get_ops()) {
      const auto& info = node->get_rt_info();
      const auto text = [&](const char* key) {
        return info.at(key).as<std::string>();
      };
      const std::string layer = text("layerType");
      if (layer == "Const" || layer == "Input" || layer == "Output") continue;
      ++counts[{layer, text("primitiveType"), text("runtimePrecision")}];
    }
  }
  std::vector<KernelCount> kernels;
  for (const auto& [key, count] : counts) {
    kernels.push_back(
        {std::get<0>(key), std::get<1>(key), std::get<2>(key), count});
  }
  return kernels;
}

}  // namespace hone
