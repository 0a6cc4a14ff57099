#include "eval/engine/openvino_common.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "eval/engine/file_compute.h"

namespace hone {

namespace {

ov::AnyMap Properties(const EngineOptions& options, bool bf16) {
  // Two engines may be alive in one process, and pinned threads of both would
  // share a core.
  return {
      ov::hint::inference_precision(bf16 ? ov::element::bf16
                                         : ov::element::f32),
      ov::inference_num_threads(static_cast<int>(options.threads)),
      ov::num_streams(1),
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
      ov::hint::enable_cpu_pinning(false),
      ov::hint::dynamic_quantization_group_size(
          static_cast<std::uint64_t>(options.activation_group)),
      ov::enable_profiling(options.profile),
  };
}

}  // namespace

bool ComputesInBf16(const ov::Core& core) {
  const auto has = core.get_property(kOpenVinoDevice, ov::device::capabilities);
  return std::find(has.begin(), has.end(), ov::device::capability::BF16) !=
         has.end();
}

std::string EntryOf(const ov::Model& model, const char* key) {
  return model.has_rt_info("framework", key)
             ? model.get_rt_info<std::string>("framework", key)
             : "";
}

ov::CompiledModel Compiled(ov::Core& core,
                           const std::shared_ptr<ov::Model>& model,
                           const std::string& file,
                           const EngineOptions& options) {
  const bool bf16 =
      AsksForBf16({{kComputeKey, EntryOf(*model, kComputeKey)}}, options);
  if (bf16 && !ComputesInBf16(core)) {
    throw Error(ErrorCode::kUsage,
                file +
                    ": OpenVINO cannot load this model: it is to be computed "
                    "in bf16, and this CPU has neither avx512_bf16 nor "
                    "amx_bf16; use a CPU that has, or a model in f32");
  }
  return core.compile_model(model, kOpenVinoDevice, Properties(options, bf16));
}

std::vector<float> Floats(const ov::Tensor& tensor) {
  const float* values = tensor.data<const float>();
  return {values, values + tensor.get_size()};
}

namespace {

std::string InfoOf(const ov::Node& node, const char* key) {
  const auto& info = node.get_rt_info();
  const auto found = info.find(key);
  return found == info.end() ? "" : found->second.as<std::string>();
}

// Commas part the names of values, which may have commas in brackets:
// "encoder.norm,integers[0,1]".
std::vector<std::string> ParseNames(const std::string& text) {
  std::vector<std::string> names(1);
  int depth = 0;
  for (const char c : text) {
    depth += (c == '[') - (c == ']');
    if (c == ',' && depth == 0) {
      names.emplace_back();
    } else {
      names.back() += c;
    }
  }
  std::erase(names, "");
  return names;
}

EngineNode Described(const std::string& file, const ov::Node& node) {
  EngineNode described;
  described.file = file;
  described.values = {node.get_friendly_name()};
  for (std::string& name : ParseNames(InfoOf(node, "originalLayersNames"))) {
    if (name != described.values[0]) {
      described.values.push_back(std::move(name));
    }
  }
  described.layer = InfoOf(node, "layerType");
  described.primitive = InfoOf(node, "primitiveType");
  described.precision = InfoOf(node, "runtimePrecision");
  for (const auto& input : node.inputs()) {
    described.inputs.push_back(input.get_element_type().get_type_name());
  }
  return described;
}

}  // namespace

std::vector<EngineNode> NodesOf(const std::string& file,
                                const ov::CompiledModel& model,
                                const ov::InferRequest& request,
                                std::int64_t inferences) {
  std::map<std::string, EngineNode> described;
  for (const auto& node : model.get_runtime_model()->get_ops()) {
    described.emplace(node->get_friendly_name(), Described(file, *node));
  }
  std::vector<EngineNode> nodes;
  for (const ov::ProfilingInfo& info : request.get_profiling_info()) {
    const auto found = described.find(info.node_name);
    // What was fused into another node has no time of its own.
    if (found == described.end()) continue;
    EngineNode& node = found->second;
    if (node.layer == "Input" || node.layer == "Output") continue;
    node.microseconds =
        static_cast<double>(info.real_time.count() * inferences);
    nodes.push_back(std::move(node));
    described.erase(found);
  }
  return nodes;
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
