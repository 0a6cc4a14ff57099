#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include <malloc.h>
#include <openvino/openvino.hpp>

#include "eval/engine/cpu.h"
#include "eval/engine/engine.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr char kDevice[] = "CPU";
// OpenVINO 2026.4.1 computes full attention wrongly from 16 tokens on when the
// very first inference of a dynamic model had one token; after any longer one
// every length is right.
constexpr std::int64_t kFirstTokens = 2;

// Bytes in use on the heap of the process, over all arenas.
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

ov::PartialShape InputShape(const EngineOptions& options) {
  const auto dimension = [](std::int64_t size) {
    return size > 0 ? ov::Dimension(size) : ov::Dimension::dynamic();
  };
  return {dimension(options.batch), dimension(options.tokens)};
}

// Runs `work`, turning the engine's exceptions into ours.
template <typename Work>
auto WithFileName(const std::string& file, const char* action, Work work) {
  try {
    return work();
  } catch (const ov::Exception& exception) {
    throw Error(ErrorCode::kUsage, file + ": OpenVINO cannot " + action +
                                       " this model: " + exception.what());
  }
}

class OpenVinoModel : public EngineModel {
 public:
  OpenVinoModel(std::string file, ov::Core& core, const EngineOptions& options)
      : file_(std::move(file)), fixed_(InputShape(options)) {
    const std::int64_t before = HeapBytes();
    WithFileName(file_, "load", [&] {
      auto model = core.read_model(file_);
      if (model->has_rt_info("framework", kMaxTokensKey)) {
        max_tokens_ = std::stoll(
            model->get_rt_info<std::string>("framework", kMaxTokensKey));
      }
      model->reshape(fixed_);
      compiled_ = core.compile_model(model, kDevice, Properties(options));
      request_ = compiled_.create_infer_request();
    });
    const std::int64_t batch = std::max<std::int64_t>(options.batch, 1);
    const std::int64_t tokens =
        options.tokens > 0 ? options.tokens : kFirstTokens;
    Run(std::vector<std::int64_t>(static_cast<std::size_t>(batch * tokens), 0),
        batch, tokens);
    memory_bytes_ = std::max<std::int64_t>(HeapBytes() - before, 0);
  }

  std::vector<float> Run(const std::vector<std::int64_t>& tokens,
                         std::int64_t batch, std::int64_t length) override {
    HONE_CHECK_EQ(static_cast<std::int64_t>(tokens.size()), batch * length);
    HONE_CHECK(fixed_.compatible(ov::PartialShape{batch, length}));
    if (length > max_tokens_) {
      // The engine would read past the table of positions.
      throw Error(ErrorCode::kUsage,
                  file_ + ": a sequence of " + std::to_string(length) +
                      " tokens is longer than the model's positions; use at "
                      "most " +
                      std::to_string(max_tokens_));
    }
    return WithFileName(file_, "run", [&] {
      // The engine only reads its input.
      const ov::Tensor input(
          ov::element::i64,
          {static_cast<std::size_t>(batch), static_cast<std::size_t>(length)},
          const_cast<std::int64_t*>(tokens.data()));
      request_.set_input_tensor(input);
      request_.infer();
      const ov::Tensor output = request_.get_output_tensor();
      const float* logits = output.data<const float>();
      return std::vector<float>(logits, logits + output.get_size());
    });
  }

  std::vector<KernelCount> Kernels() const override {
    std::map<std::tuple<std::string, std::string, std::string>, std::int64_t>
        counts;
    for (const auto& node : compiled_.get_runtime_model()->get_ops()) {
      const auto& info = node->get_rt_info();
      const auto text = [&](const char* key) {
        return info.at(key).as<std::string>();
      };
      const std::string layer = text("layerType");
      if (layer == "Const" || layer == "Input" || layer == "Output") continue;
      ++counts[{layer, text("primitiveType"), text("runtimePrecision")}];
    }
    std::vector<KernelCount> kernels;
    for (const auto& [key, count] : counts) {
      kernels.push_back(
          {std::get<0>(key), std::get<1>(key), std::get<2>(key), count});
    }
    return kernels;
  }

  std::int64_t MemoryBytes() const override { return memory_bytes_; }

 private:
  std::string file_;
  ov::PartialShape fixed_;
  ov::CompiledModel compiled_;
  ov::InferRequest request_;
  std::int64_t max_tokens_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t memory_bytes_ = 0;
};

class OpenVinoEngine : public Engine {
 public:
  std::map<std::string, std::string> Describe() const override {
    auto facts = DescribeCpu();
    facts["engine"] = "openvino";
    facts["engine_version"] = ov::get_openvino_version().buildNumber;
    return facts;
  }

  std::unique_ptr<EngineModel> Load(const std::filesystem::path& onnx_file,
                                    const EngineOptions& options) override {
    return std::make_unique<OpenVinoModel>(onnx_file.string(), core_, options);
  }

 private:
  ov::Core core_;
};

}  // namespace

std::unique_ptr<Engine> MakeOpenVinoEngine() {
  return std::make_unique<OpenVinoEngine>();
}

}  // namespace hone
