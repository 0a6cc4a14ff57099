#include "eval/eager_step_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include "eval/decode/read_again.h"
#include "space/base/error.h"
#include "space/network/transformer.h"
#include "train/eager_ops.h"
#include "train/torch_boundary.h"

namespace hone {
namespace {

class EagerStepModel : public StepModel {
 public:
  EagerStepModel(const Architecture& architecture, const TaskShape& task,
                 const NamedTensors& weights)
      : architecture_(architecture),
        task_(task),
        weights_(weights, at::kCPU),
        ops_(weights_) {
    HONE_CHECK(!architecture.decoder.empty());
  }

  StepModelInfo Info() const override {
    return {task_.vocabulary, architecture_.encoder.empty()
                                  ? task_.max_tokens
                                  : task_.max_target_tokens};
  }

  std::unique_ptr<DecodeBatch> Start(
      const std::vector<std::vector<std::int64_t>>& sources) override;

  // The memory of one source, or of none.
  DecoderMemory Remember(const std::vector<std::int64_t>& source) {
    DecoderMemory memory(1, Info().max_tokens);
    if (architecture_.encoder.empty()) return memory;
    if (source.empty() ||
        static_cast<std::int64_t>(source.size()) > task_.max_tokens) {
      throw Error(ErrorCode::kUsage,
                  "a source of " + std::to_string(source.size()) +
                      " tokens; use 1 to " + std::to_string(task_.max_tokens));
    }
    const auto memories = EncodeSource(ops_, architecture_, task_,
                                       at::tensor(source).unsqueeze(0));
    for (std::size_t i = 0; i < memories.size(); ++i) {
      memory.AddSource(memories[i].key, memories[i].value,
                       architecture_.decoder[i].cross->layers);
    }
    return memory;
  }

  at::Tensor Read(DecoderMemory& memory, const at::Tensor& tokens_BT) {
    std::vector<SourceMemory<at::Tensor>> memories;
    for (std::size_t i = 0; i < memory.Sources(); ++i) {
      const auto joined = [](const at::Tensor& x_BHLSE) {
        return x_BHLSE.flatten(2, 3);
      };
      memories.push_back(
          {joined(memory.SourceKey(i)), joined(memory.SourceValue(i))});
    }
    ops_.ContinueFrom(&memory);
    const at::Tensor logits_BTV =
        Decoder(ops_, architecture_, task_, memories, tokens_BT);
    ops_.ContinueFrom(nullptr);
    memory.Advance(tokens_BT.size(1));
    return logits_BTV;
  }

 private:
  Architecture architecture_;
  TaskShape task_;
  StoredWeights weights_;
  EagerOps ops_;
};

class EagerBatch : public DecodeBatch {
 public:
  EagerBatch(EagerStepModel& model, DecoderMemory memory)
      : model_(model), memory_(std::move(memory)) {
    ForgetLastCall();
  }

  std::vector<float> Extend(const std::vector<std::int64_t>& tokens,
                            std::int64_t count) override {
    HONE_CHECK_EQ(static_cast<std::int64_t>(tokens.size()),
                  memory_.rows() * count);
    for (const std::int64_t length : memory_.lengths()) {
      if (length + count <= memory_.capacity()) continue;
      throw Error(ErrorCode::kUsage,
                  std::to_string(length + count) +
                      " tokens are more than the model reads; use at most " +
                      std::to_string(memory_.capacity()));
    }
    ForgetLastCall();
    last_tokens_ = tokens;
    return AtTorchBoundary("decoding", [&] {
      const at::NoGradGuard no_grad;
      const at::Tensor logits =
          model_.Read(memory_, at::tensor(tokens).view({memory_.rows(), count}))
              .contiguous();
      const float* values = logits.const_data_ptr<float>();
      return std::vector<float>(values, values + logits.numel());
    });
  }

  void Select(const std::vector<std::int64_t>& rows) override {
    memory_.Select(rows);
    ForgetLastCall();
  }

  void Append(std::unique_ptr<DecodeBatch> given) override {
    auto* more = dynamic_cast<EagerBatch*>(given.get());
    HONE_CHECK(more != nullptr && &more->model_ == &model_);
    memory_.Append(more->memory_);
    ForgetLastCall();
  }

  void Truncate(const std::vector<std::int64_t>& lengths) override {
    if (lengths == memory_.lengths()) return;
    for (std::size_t row = 0; row < lengths.size(); ++row) {
      HONE_CHECK_LE(before_.at(row), lengths[row]);
    }
    if (!memory_.HasSums()) {
      memory_.Truncate(lengths);
      ForgetLastCall();
      return;
    }
    ReadKept(lengths);
  }

 private:
  void ForgetLastCall() {
    before_ = memory_.lengths();
    sums_ = memory_.Snapshot();
    last_tokens_.clear();
  }

  // Sums cannot forget.
  void ReadKept(const std::vector<std::int64_t>& lengths) {
    memory_.Truncate(before_);
    memory_.Restore(sums_);
    const auto all =
        ReadAgain(before_, lengths, last_tokens_, [&](std::size_t row) {
          auto one = std::make_unique<EagerBatch>(*this);
          one->Select({static_cast<std::int64_t>(row)});
          return one;
        });
    memory_ = dynamic_cast<EagerBatch&>(*all).memory_;
    ForgetLastCall();
  }

  EagerStepModel& model_;
  DecoderMemory memory_;
  std::vector<std::int64_t> before_;  // lengths before the last Extend
  std::map<std::string, at::Tensor> sums_;
  std::vector<std::int64_t> last_tokens_;
};

std::unique_ptr<DecodeBatch> EagerStepModel::Start(
    const std::vector<std::vector<std::int64_t>>& sources) {
  return AtTorchBoundary("encoding a source", [&] {
    const at::NoGradGuard no_grad;
    DecoderMemory all = Remember(sources.at(0));
    for (std::size_t i = 1; i < sources.size(); ++i) {
      all.Append(Remember(sources[i]));
    }
    return std::unique_ptr<DecodeBatch>(
        std::make_unique<EagerBatch>(*this, std::move(all)));
  });
}

}  // namespace

std::unique_ptr<StepModel> MakeEagerStepModel(const Architecture& architecture,
                                              const TaskShape& task,
                                              const NamedTensors& weights) {
  return std::make_unique<EagerStepModel>(architecture, task, weights);
}

}  // namespace hone
