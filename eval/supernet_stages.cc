// The stages behind the supernet.

#include "eval/bert_teacher.h"
#include "eval/machine_lock.h"
#include "eval/stage_inputs.h"
#include "eval/stages.h"
#include "space/base/error.h"
#include "train/compress/sort_channels.h"
#include "train/distill/teacher_network.h"
#include "train/forward.h"
#include "train/shared_weights.h"
#include "train/supernet.h"

namespace hone {
namespace {

// Of the progress of a supernet's training.
constexpr double kShareOfLargest = 0.3;

}  // namespace

NamedTensors Stages::SupernetStart(const StageResult& largest) const {
  NamedTensors weights = ReadSafeTensors(largest.PathOf(kStudentFile)).tensors;
  const SupernetPlan& plan = *options_.supernet;
  const CompressionOptions& compression = options_.compression;
  const Architecture architecture = LargestOf(plan.space);
  if (!plan.options.sort_channels || !CanSort(architecture)) return weights;
  return SortByImportance(
      architecture, weights,
      FindImportance(
          architecture, options_.task, weights,
          SomeRows(data_.train, static_cast<std::size_t>(compression.examples)),
          compression.importance,
          StreamSeed(options_.study_seed, 0, "importance")));
}

std::variant<StageResult, Failure> Stages::Supernet(
    const Sources& sources, const OnProgress& on_progress) const {
  const SupernetPlan& plan = *options_.supernet;
  HONE_CHECK(!sources.supernet.has_value());
  const auto largest = Student(
      LargestOf(plan.space), plan.start_seed, options_.training.steps, sources,
      [&](double fraction) { on_progress(kShareOfLargest * fraction); });
  if (std::holds_alternative<Failure>(largest)) return largest;
  const auto& start = std::get<StageResult>(largest);
  Json inputs = {{"space", FieldsToJson(plan.space.options())},
                 {"task", TaskToJson(options_.task)},
                 {"data", data_.content_hash},
                 {"largest", start.Get(kStudentFile).sha256},
                 {"teacher", TeacherIdentity(sources)},
                 {"supernet", FieldsToJson(plan.options)},
                 {"training", FieldsToJson(plan.training)},
                 {"distillation", FieldsToJson(options_.distillation)},
                 {"seed", options_.study_seed},
                 {"libtorch", TorchVersion()}};
  // How its members are trained further.
  for (const char* key : {"warm_start", "warm_learning_rate"}) {
    inputs["supernet"].erase(key);
  }
  if (plan.options.sort_channels) {
    inputs["importance"] = {options_.compression.importance,
                            options_.compression.examples};
  }
  if (plan.options.rounded) {
    inputs["rounding"] = {kQuantizerVersion, options_.quantization.reduce_range,
                          options_.quantization.symmetric_activations};
  }
  if (auto found = store_.Find("supernet", inputs)) return *found;
  TrainingPermit permit(options_.lock_folder);
  SupernetJob job;
  job.space = &plan.space;
  job.data = &data_.train;
  job.seed = StreamSeed(options_.study_seed, 0, "supernet");
  job.initial = SupernetStart(start);
  job.teacher = sources.teacher ? &*sources.teacher : nullptr;
  job.distillation = options_.distillation;
  job.reduce_range = options_.quantization.reduce_range;
  job.symmetric_activations = options_.quantization.symmetric_activations;
  job.cancelled = options_.cancelled;
  job.on_step = [&](std::int64_t step, std::int64_t steps) {
    permit.Yield();
    on_progress(kShareOfLargest + (1 - kShareOfLargest) *
                                      static_cast<double>(step) /
                                      static_cast<double>(steps));
  };
  auto trained = TrainSupernet(job, plan.options, plan.training);
  if (const auto* failure = std::get_if<Failure>(&trained)) return *failure;
  return store_.Put(
      "supernet", inputs,
      {{kSupernetFile, Bytes(std::get<NamedTensors>(std::move(trained)))}});
}

NamedTensors Stages::InheritedWeights(const Architecture& architecture,
                                      const StageResult& supernet) const {
  return ExtractSubnet(ReadSafeTensors(supernet.PathOf(kSupernetFile)).tensors,
                       architecture, options_.task,
                       StreamSeed(options_.study_seed, 0, "supernet"));
}

std::optional<Teacher> Stages::WarmTeacher(const Sources& sources) const {
  const bool keeps_answers =
      sources.teacher && sources.teacher->logits_NC.elements() > 0;
  if (!keeps_answers || !options_.supernet->options.warm_start) {
    return sources.teacher;
  }
  const Architecture largest = LargestOf(options_.supernet->space);
  const Json inputs = {
      {"architecture", ToJson(largest)},
      {"supernet", sources.supernet->Get(kSupernetFile).sha256},
      {"data", data_.content_hash},
      {"libtorch", TorchVersion()}};
  auto filed = store_.Find("opinion", inputs);
  if (!filed) {
    const TrainingPermit permit(options_.lock_folder);
    filed = store_.Put(
        "opinion", inputs,
        {{kLogitsFile,
          Bytes({{"logits",
                  ComputeLogits(largest, options_.task,
                                InheritedWeights(largest, *sources.supernet),
                                data_.train, kInferenceBatch)}})}});
  }
  return WithSecondOpinion(
      *sources.teacher,
      ReadSafeTensors(filed->PathOf(kLogitsFile)).tensors.at("logits"));
}

StageResult Stages::Inherited(const Architecture& architecture,
                              const StageResult& supernet) const {
  const Json inputs = {{"architecture", ToJson(architecture)},
                       {"task", TaskToJson(options_.task)},
                       {"supernet", supernet.Get(kSupernetFile).sha256},
                       {"seed", options_.study_seed}};
  if (auto found = store_.Find("student", inputs)) return *found;
  return store_.Put(
      "student", inputs,
      {{kStudentFile, Bytes(InheritedWeights(architecture, supernet))}});
}

}  // namespace hone
