#include <algorithm>
#include <limits>
#include <map>

#include "eval/engine/cpu.h"
#include "eval/engine/engine.h"
#include "eval/engine/openvino_common.h"
#include "eval/engine/openvino_decoder.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"

namespace hone {
namespace {

// OpenVINO 2026.4.1 computes full attention wrongly from 16 tokens on when the
// very first inference of a dynamic model had one token; after any longer one
// every length is right.
constexpr std::int64_t kFirstTokens = 2;

class OpenVinoModel : public EngineModel {
 public:
  OpenVinoModel(std::string file, ov::Core& core, const EngineOptions& options)
      : file_(std::move(file)) {
    const std::int64_t before = HeapBytes();
    WithFileName(file_, "load", [&] {
      auto model = core.read_model(file_);
      const std::string most = EntryOf(*model, kMaxTokensKey);
      if (!most.empty()) max_tokens_ = std::stoll(most);
      fixed_ = FixedShape(model->input().get_partial_shape(), options);
      model->reshape(fixed_);
      compiled_ = Compiled(core, model, file_, options);
      request_ = compiled_.create_infer_request();
    });
    const std::int64_t batch = std::max<std::int64_t>(options.batch, 1);
    const std::int64_t tokens = options.tokens > 0
                                    ? options.tokens
                                    : std::min(kFirstTokens, max_tokens_);
    const auto numbers = static_cast<std::size_t>(batch * tokens);
    if (fixed_.size() == 2) {
      Run(std::vector<std::int64_t>(numbers, 0), batch, tokens);
    } else {
      const auto width = static_cast<std::size_t>(fixed_[2].get_length());
      Run(std::vector<float>(numbers * width, 0), batch, tokens);
    }
    memory_bytes_ = std::max<std::int64_t>(HeapBytes() - before, 0);
  }

  std::vector<float> Run(const ModelInput& given, std::int64_t batch,
                         std::int64_t length) override {
    HONE_CHECK(ov::PartialShape({fixed_[0], fixed_[1]})
                   .compatible(ov::PartialShape{batch, length}));
    if (length > max_tokens_) {
      // The engine would read past the table of positions.
      throw Error(ErrorCode::kUsage,
                  file_ + ": a sequence of " + std::to_string(length) +
                      " tokens is longer than the model's positions; use at "
                      "most " +
                      std::to_string(max_tokens_));
    }
    return WithFileName(file_, "run", [&] {
      request_.set_input_tensor(InputTensor(given, batch, length));
      request_.infer();
      ++inferences_;
      return Floats(request_.get_output_tensor());
    });
  }

  std::vector<KernelCount> Kernels() const override {
    return KernelsOf({compiled_});
  }

  std::int64_t MemoryBytes() const override { return memory_bytes_; }

  std::vector<EngineNode> Nodes() const override {
    const std::string name = std::filesystem::path(file_).filename().string();
    return WithFileName(file_, "profile", [&] {
      return NodesOf(name, compiled_, request_, inferences_);
    });
  }

 private:
  static ov::PartialShape FixedShape(const ov::PartialShape& input,
                                     const EngineOptions& options) {
    const auto dimension = [](std::int64_t size) {
      return size > 0 ? ov::Dimension(size) : ov::Dimension::dynamic();
    };
    ov::PartialShape shape = {dimension(options.batch),
                              dimension(options.tokens)};
    if (input.size() == 3) shape.push_back(input[2]);
    return shape;
  }

  // The engine only reads its input.
  ov::Tensor InputTensor(const ModelInput& given, std::int64_t batch,
                         std::int64_t length) const {
    ov::Shape shape = {static_cast<std::size_t>(batch),
                       static_cast<std::size_t>(length)};
    if (const auto* tokens = std::get_if<std::vector<std::int64_t>>(&given)) {
      HONE_CHECK_EQ(fixed_.size(), 2u);
      HONE_CHECK_EQ(tokens->size(), ov::shape_size(shape));
      return {ov::element::i64, shape,
              const_cast<std::int64_t*>(tokens->data())};
    }
    const auto& features = std::get<std::vector<float>>(given);
    HONE_CHECK_EQ(fixed_.size(), 3u);
    shape.push_back(static_cast<std::size_t>(fixed_[2].get_length()));
    HONE_CHECK_EQ(features.size(), ov::shape_size(shape));
    return {ov::element::f32, shape, const_cast<float*>(features.data())};
  }

  std::string file_;
  ov::PartialShape fixed_;
  ov::CompiledModel compiled_;
  ov::InferRequest request_;
  std::int64_t max_tokens_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t inferences_ = 0;
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

  bool ComputesInBf16() const override { return hone::ComputesInBf16(core_); }

  std::unique_ptr<EngineModel> Load(const std::filesystem::path& onnx_file,
                                    const EngineOptions& options) override {
    return std::make_unique<OpenVinoModel>(onnx_file.string(), core_, options);
  }

  std::unique_ptr<EngineDecoder> LoadDecoder(
      const std::filesystem::path& folder,
      const EngineOptions& options) override {
    return LoadOpenVinoDecoder(core_, folder, options);
  }

 private:
  ov::Core core_;
};

}  // namespace

std::unique_ptr<Engine> MakeOpenVinoEngine() {
  return std::make_unique<OpenVinoEngine>();
}

}  // namespace hone
