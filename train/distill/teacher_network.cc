#include "train/distill/teacher_network.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/topk.h>

#include "space/base/error.h"
#include "space/network/transformer.h"
#include "train/distill/losses.h"
#include "train/torch_boundary.h"

namespace hone {

TeacherNetwork::TeacherNetwork(const Teacher& teacher,
                               std::set<std::string> taps, at::Device device)
    : teacher_(teacher) {
  members_.emplace_back(teacher.weights, taps, device);
  if (teacher.bert) {
    bert_.emplace(members_.front().weights, *teacher.bert, std::move(taps));
  }
  for (const NamedTensors& weights : teacher.other_members) {
    members_.emplace_back(weights, std::set<std::string>{}, device);
  }
}

at::Tensor TeacherNetwork::Logits(const NetworkBatch& batch) {
  const at::NoGradGuard no_grad;
  if (bert_) {
    bert_->HiddenStates(batch.input);
    return {};
  }
  std::vector<at::Tensor> logits;
  for (Member& member : members_) {
    logits.push_back(Transformer(member.ops, teacher_.architecture,
                                 teacher_.task, batch.input, batch.target));
  }
  return logits.size() == 1 ? logits.front() : MeanProbabilities(logits);
}

at::Tensor TeacherNetwork::TakeTap(const std::string& name) {
  return bert_ ? bert_->TakeTap(name) : members_.front().ops.TakeTap(name);
}

at::Tensor LabelLoss(const at::Tensor& logits, const at::Tensor& labels,
                     double label_smoothing) {
  return at::cross_entropy_loss(logits.flatten(0, -2), labels.flatten(), {},
                                at::Reduction::Mean, kNoLabel, label_smoothing);
}

at::Tensor LabelledRows(const at::Tensor& x, const at::Tensor& labels) {
  if (labels.dim() == 1) return x;
  return x.flatten(0, 1).index_select(
      0, labels.flatten().ne(kNoLabel).nonzero().squeeze(1));
}

TensorData TeacherLogits(const Teacher& teacher, const TaskData& data,
                         std::int64_t batch_size) {
  TensorData first = ComputeLogits(teacher.architecture, teacher.task,
                                   teacher.weights, data, batch_size);
  if (teacher.other_members.empty()) return first;
  std::vector<at::Tensor> logits = {ToTensor(first, at::kCPU)};
  for (const NamedTensors& weights : teacher.other_members) {
    logits.push_back(ToTensor(ComputeLogits(teacher.architecture, teacher.task,
                                            weights, data, batch_size),
                              at::kCPU));
  }
  return ToTensorData(MeanProbabilities(logits));
}

Teacher WithSecondOpinion(Teacher teacher, const TensorData& logits_NC) {
  if (teacher.logits_NC.elements() == 0) return teacher;
  HONE_CHECK_EQ(teacher.logits_NC.elements(), logits_NC.elements());
  teacher.logits_NC = ToTensorData(MeanProbabilities(
      {ToTensor(teacher.logits_NC, at::kCPU), ToTensor(logits_NC, at::kCPU)}));
  return teacher;
}

std::vector<std::int64_t> TargetPlaces(const TaskData& data) {
  std::vector<std::int64_t> places = {0};
  for (const auto& target : data.targets) {
    places.push_back(places.back() + static_cast<std::int64_t>(target.size()) +
                     1);
  }
  return places;
}

TopTargets TeacherTopTargets(const Teacher& teacher, const TaskData& data,
                             std::int64_t batch_size, std::int64_t top_k,
                             double temperature) {
  HONE_CHECK(teacher.task.topology == Topology::kEncoderDecoder);
  return AtTorchBoundary("computing a teacher's likeliest tokens", [&] {
    const at::NoGradGuard no_grad;
    const std::int64_t kept = std::min(top_k, teacher.task.vocabulary - 1);
    const std::vector<std::int64_t> places = TargetPlaces(data);
    TeacherNetwork network(teacher, {}, at::kCPU);
    const at::Tensor tokens_PK =
        at::empty({places.back(), kept}, at::TensorOptions().dtype(at::kInt));
    const at::Tensor logs_PK = at::empty({places.back(), kept + 1},
                                         at::TensorOptions().dtype(at::kFloat));
    for (const Batch& batch : OrderedBatches(data, batch_size)) {
      const NetworkBatch made =
          MakeNetworkBatch(data, teacher.task, batch, at::kCPU);
      const at::Tensor log_NV = at::log_softmax(
          LabelledRows(network.Logits(made), made.labels).div(temperature), 1);
      const at::Tensor top_NK = std::get<1>(at::topk(log_NV, kept, 1));
      const at::Tensor kept_NK = KeepOutcomes(log_NV, top_NK);
      std::int64_t from = 0;
      for (const std::int64_t row : batch.rows) {
        const auto index = static_cast<std::size_t>(row);
        const std::int64_t count = places[index + 1] - places[index];
        tokens_PK.narrow(0, places[index], count)
            .copy_(top_NK.narrow(0, from, count));
        logs_PK.narrow(0, places[index], count)
            .copy_(kept_NK.narrow(0, from, count));
        from += count;
      }
    }
    return TopTargets{temperature, ToTensorData(tokens_PK),
                      ToTensorData(logs_PK)};
  });
}

}  // namespace hone
