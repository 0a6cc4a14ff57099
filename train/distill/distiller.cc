#include "train/distill/distiller.h"

#include <map>
#include <set>
#include <string>

#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include "space/base/error.h"
#include "space/network/transformer.h"

namespace hone {
namespace {

constexpr char kProjection[] = "distillation.projection";

std::set<std::string> TeacherTaps(const std::vector<LayerPair>& hidden,
                                  const std::vector<LayerPair>& relations) {
  std::set<std::string> taps;
  for (const LayerPair& pair : hidden) taps.insert(pair.teacher);
  for (const LayerPair& pair : relations) taps.insert(pair.teacher);
  return taps;
}

// Taps that several pairs share are taken once.
class TakenTaps {
 public:
  explicit TakenTaps(TeacherNetwork& network) : network_(network) {}
  const at::Tensor& Get(const std::string& name) {
    const auto found = taken_.find(name);
    if (found != taken_.end()) return found->second;
    return taken_.emplace(name, network_.TakeTap(name)).first->second;
  }

 private:
  TeacherNetwork& network_;
  std::map<std::string, at::Tensor> taken_;
};

}  // namespace

Distiller::Distiller(const Teacher& teacher, const DistillationOptions& options,
                     const Architecture& student, const TaskData& data,
                     const TrainableWeightsOptions& weights, at::Device device)
    : teacher_(teacher),
      options_(options),
      student_(student),
      data_(data),
      device_(device),
      hidden_(HiddenLayers(student, teacher.architecture, options)),
      relations_(RelationLayers(student, teacher.architecture, options)),
      projections_(weights),
      network_(teacher, TeacherTaps(hidden_, relations_), device) {
  CheckStoredAnswers();
  for (const LayerPair& pair : hidden_) Projection(pair);
  logits_NC_ = ToTensor(teacher.logits_NC, device);
  if (teacher.top.tokens_PK.elements() > 0) {
    top_tokens_PK_ = ToTensor(teacher.top.tokens_PK, device);
    top_log_probabilities_ = ToTensor(teacher.top.log_probabilities, device);
    places_ = TargetPlaces(data);
  }
}

void Distiller::CheckStoredAnswers() const {
  if (teacher_.logits_NC.elements() > 0) {
    HONE_CHECK_EQ(
        teacher_.logits_NC.elements(),
        static_cast<std::int64_t>(data_.size()) * teacher_.task.classes);
  }
  const TopTargets& top = teacher_.top;
  if (top.tokens_PK.elements() > 0) {
    HONE_CHECK_EQ(top.temperature, options_.temperature);
    HONE_CHECK_EQ(top.tokens_PK.shape.at(0), TargetPlaces(data_).back());
    HONE_CHECK_EQ(top.log_probabilities.elements(),
                  top.tokens_PK.elements() + top.tokens_PK.shape.at(0));
  }
}

at::Tensor Distiller::Projection(const LayerPair& pair) {
  const std::string name = pair.student == kLastHiddenTap
                               ? kProjection
                               : kProjection + ("." + pair.student);
  return projections_.Get(
      name, WeightRole::kMatrix,
      {teacher_.architecture.stem.d_model, student_.stem.d_model});
}

SoftTargets Distiller::StoredTopTargets(const Batch& rows) const {
  std::vector<std::int64_t> places;
  for (const std::int64_t row : rows.rows) {
    const auto index = static_cast<std::size_t>(row);
    for (std::int64_t place = places_[index]; place < places_[index + 1];
         ++place) {
      places.push_back(place);
    }
  }
  const at::Tensor places_N = at::tensor(places).to(device_);
  return {top_log_probabilities_.index_select(0, places_N),
          top_tokens_PK_.index_select(0, places_N).to(at::kLong)};
}

SoftTargets Distiller::Targets(const Batch& rows, const NetworkBatch& batch,
                               const std::optional<at::Tensor>& logits) const {
  if (top_tokens_PK_.defined()) return StoredTopTargets(rows);
  const at::Tensor answer =
      logits_NC_.numel() > 0
          ? logits_NC_.index_select(0, at::tensor(rows.rows).to(device_))
          : LabelledRows(*logits, batch.labels);
  return SoftTargetsOf(answer, options_.temperature);
}

at::Tensor Distiller::HiddenTerm(const NetworkBatch& batch, EagerOps& ops) {
  TakenTaps taken(network_);
  std::vector<at::Tensor> losses;
  for (const LayerPair& pair : hidden_) {
    at::Tensor student = ops.TakeTap(pair.student);
    at::Tensor teacher = taken.Get(pair.teacher);
    if (pair.causal) {
      student = LabelledRows(student, batch.labels);
      teacher = LabelledRows(teacher, batch.labels);
    }
    losses.push_back(HiddenLoss(student, Projection(pair), teacher));
  }
  return at::stack(losses).mean();
}

at::Tensor Distiller::RelationTerm(const NetworkBatch& batch, EagerOps& ops) {
  std::vector<at::Tensor> losses;
  for (const LayerPair& pair : relations_) {
    const at::Tensor rows_BT = RelationDivergence(
        ops.TakeTap(pair.student), network_.TakeTap(pair.teacher),
        options_.relation_heads, pair.causal);
    losses.push_back(
        (pair.causal ? LabelledRows(rows_BT, batch.labels) : rows_BT).mean());
  }
  return at::stack(losses).mean();
}

bool Distiller::AnswersAreStored() const {
  return logits_NC_.numel() > 0 || top_tokens_PK_.defined();
}

SoftTargets Distiller::Answers(const Batch& rows, const NetworkBatch& batch) {
  std::optional<at::Tensor> answer;
  if (!AnswersAreStored()) answer = network_.Logits(batch);
  return Targets(rows, batch, answer);
}

at::Tensor Distiller::LogitsLoss(const at::Tensor& hard,
                                 const at::Tensor& logits,
                                 const std::optional<SoftTargets>& answers,
                                 const NetworkBatch& batch) const {
  const at::Tensor loss = hard.mul(options_.hard_weight);
  if (!answers) return loss;
  return loss.add(SoftTargetLoss(LabelledRows(logits, batch.labels), *answers,
                                 options_.divergence, options_.temperature),
                  options_.logits_weight);
}

at::Tensor Distiller::Loss(const at::Tensor& hard, const at::Tensor& logits,
                           const Batch& rows, const NetworkBatch& batch,
                           EagerOps& ops) {
  const bool soft = options_.logits_weight > 0;
  std::optional<at::Tensor> answer;
  if ((soft && !AnswersAreStored()) || !hidden_.empty() ||
      !relations_.empty()) {
    answer = network_.Logits(batch);
  }
  std::optional<SoftTargets> targets;
  if (soft) targets = Targets(rows, batch, answer);
  at::Tensor loss = LogitsLoss(hard, logits, targets, batch);
  if (!hidden_.empty()) {
    loss = loss.add(HiddenTerm(batch, ops), options_.hidden_weight);
  }
  if (!relations_.empty()) {
    loss = loss.add(RelationTerm(batch, ops), options_.relation_weight);
  }
  return loss;
}

}  // namespace hone
