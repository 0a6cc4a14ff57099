#include "train/training_batches.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include "train/weight_source.h"

namespace hone {

TrainingBatches::TrainingBatches(const TaskData& data, const TaskShape& task,
                                 const TrainingOptions& options,
                                 std::uint64_t seed, at::Device device)
    : data_(data),
      task_(task),
      batch_size_(options.batch_size),
      word_dropout_(options.word_dropout),
      seed_(seed),
      device_(device),
      word_generator_(
          MakeGenerator(device, StreamSeed(seed, 0, "word dropout"))),
      variants_(seed, 0, "variants") {
  for (const auto& variant : data.frames.variants) {
    variant_table_.push_back(at::tensor(variant).to(device_));
  }
}

const Batch& TrainingBatches::Next() {
  if (next_ == batches_.size()) {
    Rng rng(seed_, epoch_++, "batches");
    batches_ = EpochBatches(data_, batch_size_, rng);
    next_ = 0;
  }
  return batches_[next_++];
}

NetworkBatch TrainingBatches::Make(const Batch& rows) const {
  return MakeNetworkBatch(data_, task_, rows, device_);
}

at::Tensor TrainingBatches::Perturbed(const Batch& rows,
                                      const at::Tensor& input) {
  if (task_.features == 0) return WithWordsDropped(input);
  if (variant_table_.empty()) return input;
  return InVariants(rows, input);
}

// Each image mirrored and moved by its own draw.
at::Tensor TrainingBatches::InVariants(const Batch& rows,
                                       const at::Tensor& frames_BTF) {
  std::vector<at::Tensor> places;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    places.push_back(variant_table_[variants_.Below(variant_table_.size())]);
  }
  const at::Tensor places_BN = at::stack(places);
  const at::Tensor blank = places_BN.lt(0);
  return frames_BTF.flatten(1)
      .gather(1, places_BN.clamp_min(0))
      .masked_fill_(blank, data_.frames.blank)
      .view_as(frames_BTF);
}

// Some words become unknown, as in unseen texts.
at::Tensor TrainingBatches::WithWordsDropped(const at::Tensor& tokens_BT) {
  if (word_dropout_ <= 0) return tokens_BT;
  const at::Tensor dropped_BT =
      at::empty(tokens_BT.sizes(), at::TensorOptions(device_).dtype(at::kBool))
          .bernoulli_(word_dropout_, word_generator_);
  return tokens_BT.masked_fill(dropped_BT, data_.unknown);
}

}  // namespace hone
