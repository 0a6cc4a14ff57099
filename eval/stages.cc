#include "eval/stages.h"

#include <algorithm>
#include <iterator>

#include "eval/bert_teacher.h"
#include "eval/export/onnx_export.h"
#include "eval/machine_lock.h"
#include "eval/stage_inputs.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/hash.h"
#include "space/network/transformer.h"
#include "train/compress/factor_table.h"
#include "train/compress/fuse.h"
#include "train/compress/precision_errors.h"
#include "train/compress/shrink_path.h"
#include "train/distill/embedding_transfer.h"
#include "train/distill/teacher_network.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr char kEmbeddingWeight[] = "embedding.weight";
constexpr char kTopFile[] = "top_targets.safetensors";
constexpr std::int64_t kShortWarmupShare = 20;

bool IsClassification(const TaskShape& task) {
  return task.topology == Topology::kEncoder;
}

// Whether there is a scale to be trained: bf16 has none.
bool HasCodes(Architecture architecture) {
  architecture.stem.compute = Compute::kF32;
  return architecture != WithoutPrecision(architecture);
}

}  // namespace

Stages::Stages(const TrainedEvaluatorOptions& options, const PreparedData& data)
    : options_(options), data_(data), store_(options.artifacts) {}

TrainingResult Stages::TrainTeacher(const OnProgress& on_progress) const {
  TrainingPermit permit(options_.lock_folder);
  TrainingJob job;
  job.architecture =
      TeacherArchitecture(options_.teacher, options_.task.topology);
  job.task = options_.task;
  job.data = &data_.train;
  job.seed = StreamSeed(options_.study_seed, 0, "teacher");
  job.cancelled = options_.cancelled;
  job.on_step = [&](std::int64_t step, std::int64_t steps) {
    permit.Yield();
    on_progress(static_cast<double>(step) / static_cast<double>(steps));
  };
  auto trained = TrainNetwork(job, options_.teacher_training);
  if (const auto* failure = std::get_if<Failure>(&trained)) {
    throw Error(ErrorCode::kUsage,
                "the teacher " + failure->code + ": " + failure->reason +
                    "; lower teacher.training.learning_rate");
  }
  return std::get<TrainingResult>(std::move(trained));
}

std::vector<NamedTensors> Stages::TeacherWeights(
    const Architecture& architecture, const OnProgress& on_progress) const {
  const std::vector<std::string> files = options_.teacher.Files();
  if (files.empty()) return {TrainTeacher(on_progress).weights};
  std::vector<NamedTensors> members;
  for (const std::string& file : files) {
    members.push_back(ReadSafeTensors(file).tensors);
    CheckWeights(members.back(), architecture, options_.task, file);
  }
  return members;
}

StageResult Stages::TeacherFiles(const OnProgress& on_progress) const {
  if (IsBertFolder(options_.teacher)) return BertTeacherFiles(on_progress);
  const Architecture architecture =
      TeacherArchitecture(options_.teacher, options_.task.topology);
  Json inputs = {{"architecture", ToJson(architecture)},
                 {"task", TaskToJson(options_.task)},
                 {"data", data_.content_hash},
                 {"libtorch", TorchVersion()}};
  const std::vector<std::string> given = options_.teacher.Files();
  if (given.empty()) {
    inputs["training"] = FieldsToJson(options_.teacher_training);
    inputs["seed"] = options_.study_seed;
  } else if (given.size() == 1) {
    inputs["checkpoint"] = Sha256File(given[0]);
  } else {
    inputs["checkpoints"] = Json::array();
    for (const std::string& file : given) {
      inputs["checkpoints"].push_back(Sha256File(file));
    }
  }
  if (auto found = store_.Find("teacher", inputs)) return *found;
  std::vector<NamedTensors> members = TeacherWeights(architecture, on_progress);
  std::map<std::string, std::string> files;
  for (std::size_t i = 0; i < members.size(); ++i) {
    files[TeacherFile(i)] = Bytes(members[i]);
  }
  if (IsClassification(options_.task)) {
    Teacher teacher{architecture, options_.task, std::move(members[0])};
    teacher.other_members.assign(std::make_move_iterator(members.begin() + 1),
                                 std::make_move_iterator(members.end()));
    files[kLogitsFile] = Bytes(
        {{"logits", TeacherLogits(teacher, data_.train, kInferenceBatch)}});
  }
  return store_.Put("teacher", inputs, files);
}

StageResult Stages::BertTeacherFiles(const OnProgress& on_progress) const {
  BertTeacherOptions options;
  options.folder = options_.teacher.checkpoint;
  options.pooling = options_.teacher.pooling;
  options.training = options_.teacher_training;
  options.seed = StreamSeed(options_.study_seed, 0, "teacher");
  TrainingPermit permit(options_.lock_folder);
  options.on_progress = [&](double fraction) {
    if (options_.cancelled && *options_.cancelled) {
      throw Error(ErrorCode::kCancelled, "running the teacher was interrupted");
    }
    permit.Yield();
    on_progress(fraction);
  };
  return MakeBertTeacher(options, data_, store_);
}

Teacher Stages::LoadTeacher(const StageResult& files) const {
  const std::string path = files.PathOf(kTeacherFile).string();
  SafeTensors stored = ReadSafeTensors(path);
  Teacher teacher{{}, options_.task, std::move(stored.tensors)};
  teacher.bert = BertFromMetadata(stored.metadata, path);
  teacher.architecture =
      teacher.bert
          ? teacher.bert->architecture
          : TeacherArchitecture(options_.teacher, options_.task.topology);
  const std::size_t members =
      std::max<std::size_t>(options_.teacher.Files().size(), 1);
  for (std::size_t i = 1; i < members; ++i) {
    teacher.other_members.push_back(
        ReadSafeTensors(files.PathOf(TeacherFile(i))).tensors);
  }
  if (IsClassification(options_.task)) {
    teacher.logits_NC =
        ReadSafeTensors(files.PathOf(kLogitsFile)).tensors.at("logits");
  }
  if (options_.task.topology == Topology::kEncoderDecoder &&
      options_.distillation.top_k > 0 &&
      options_.distillation.logits_weight > 0) {
    teacher.top = TopTargetsOf(teacher, files);
  }
  return teacher;
}

TopTargets Stages::TopTargetsOf(const Teacher& teacher,
                                const StageResult& files) const {
  const DistillationOptions& distillation = options_.distillation;
  const Json inputs = {{"teacher", TeacherIdentity(files, teacher)},
                       {"architecture", ToJson(teacher.architecture)},
                       {"task", TaskToJson(options_.task)},
                       {"data", data_.content_hash},
                       {"top_k", distillation.top_k},
                       {"temperature", distillation.temperature},
                       {"libtorch", TorchVersion()}};
  auto filed = store_.Find("top_targets", inputs);
  if (!filed) {
    const TrainingPermit permit(options_.lock_folder);
    const TopTargets made =
        TeacherTopTargets(teacher, data_.train, kInferenceBatch,
                          distillation.top_k, distillation.temperature);
    filed = store_.Put(
        "top_targets", inputs,
        {{kTopFile, Bytes({{"tokens", made.tokens_PK},
                           {"log_probabilities", made.log_probabilities}})}});
  }
  const NamedTensors tensors = ReadSafeTensors(filed->PathOf(kTopFile)).tensors;
  return {distillation.temperature, tensors.at("tokens"),
          tensors.at("log_probabilities")};
}

std::variant<StageResult, Failure> Stages::Student(
    const Architecture& architecture, std::uint64_t seed, std::int64_t steps,
    const Sources& sources, const OnProgress& on_progress) const {
  TrainingOptions training = options_.training;
  training.steps = steps;
  Json inputs = {{"architecture", ToJson(architecture)},
                 {"task", TaskToJson(options_.task)},
                 {"data", data_.content_hash},
                 {"teacher", TeacherIdentity(sources)},
                 {"distillation", FieldsToJson(options_.distillation)},
                 {"seed", seed},
                 {"libtorch", TorchVersion()}};
  const bool warm = sources.supernet && options_.supernet->options.warm_start;
  if (warm) {
    training.learning_rate = options_.supernet->options.warm_learning_rate;
    inputs["supernet"] = sources.supernet->Get(kSupernetFile).sha256;
  }
  inputs["training"] = FieldsToJson(training);
  if (auto found = store_.Find("student", inputs)) return *found;
  TrainingJob job = StudentJob(architecture, seed);
  job.distillation = options_.distillation;
  const std::optional<Teacher>& teacher =
      warm ? sources.warm_teacher : sources.teacher;
  if (teacher) job.teacher = &*teacher;
  if (warm) {
    job.initial = InheritedWeights(architecture, *sources.supernet);
  } else if (sources.teacher && options_.distillation.embedding_from_teacher &&
             options_.task.features == 0) {
    job.initial[kEmbeddingWeight] = ProjectEmbedding(
        sources.teacher->weights.at(kEmbeddingWeight),
        TokenTable(architecture.stem, options_.task.vocabulary).dim);
  }
  return FileTrained("student", inputs, kStudentFile, std::move(job), training,
                     on_progress);
}

// From one architecture on the path to the next.
struct Stages::ShrinkRound {
  Architecture larger;
  std::string dropped;  // of its blocks, before anything else
  StageResult larger_files;
  Architecture smaller;
  // The network that the path began with.
  Architecture guide;
  StageResult guide_files;
  std::int64_t steps = 0;
  std::uint64_t seed = 0;
};

std::variant<StageResult, Failure> Stages::Shrunk(
    const Candidate& candidate, const StageResult& parent_files,
    const CompressionOptions& options, const OnProgress& on_progress) const {
  ShrinkRound round;
  round.guide = WithoutPrecision(*candidate.parent);
  round.guide_files = parent_files;
  round.larger = round.guide;
  round.larger_files = parent_files;
  round.dropped = candidate.dropped;
  const Architecture start = round.dropped.empty()
                                 ? round.guide
                                 : WithoutBlock(round.guide, round.dropped);
  const Architecture end = WithoutPrecision(candidate.architecture);
  if (start != end) CheckCanShrink(start, end);
  const auto path = ShrinkPath(start, end, options.rounds);
  const auto rounds = static_cast<std::int64_t>(path.size());
  for (std::int64_t i = 0; i < rounds; ++i) {
    round.smaller = path[static_cast<std::size_t>(i)];
    round.steps = options.steps * (i + 1) / rounds - options.steps * i / rounds;
    round.seed = StreamSeed(candidate.seed, i, "shrunk");
    const auto made = ShrinkOnce(round, options, [&](double fraction) {
      on_progress((static_cast<double>(i) + fraction) /
                  static_cast<double>(rounds));
    });
    if (std::holds_alternative<Failure>(made)) return made;
    round.larger = round.smaller;
    round.larger_files = std::get<StageResult>(made);
    round.dropped.clear();
  }
  return round.larger_files;
}

std::variant<StageResult, Failure> Stages::ShrinkOnce(
    const ShrinkRound& round, const CompressionOptions& options,
    const OnProgress& on_progress) const {
  const Json inputs = {{"architecture", ToJson(round.smaller)},
                       {"parent", ToJson(round.larger)},
                       {"dropped", round.dropped},
                       {"student", round.larger_files.Get(kStudentFile).sha256},
                       {"guide", round.guide_files.Get(kStudentFile).sha256},
                       {"task", TaskToJson(options_.task)},
                       {"data", data_.content_hash},
                       {"compression", FieldsToJson(options)},
                       {"steps", round.steps},
                       {"training", FieldsToJson(options_.training)},
                       {"temperature", options_.distillation.temperature},
                       {"seed", round.seed},
                       {"libtorch", TorchVersion()}};
  if (auto found = store_.Find("student", inputs)) return *found;
  const auto weights = [](const StageResult& files) {
    return ReadSafeTensors(files.PathOf(kStudentFile)).tensors;
  };
  Architecture larger = round.larger;
  TrainingJob job = StudentJob(round.smaller, round.seed);
  job.initial = weights(round.larger_files);
  if (!round.dropped.empty()) {
    larger = WithoutBlock(larger, round.dropped);
    job.initial = WithoutBlock(job.initial, round.dropped);
  }
  job.initial = ShrinkNetwork(
      larger, round.smaller, options_.task, job.initial,
      SomeRows(data_.train, static_cast<std::size_t>(options.examples)),
      options, StreamSeed(round.seed, 0, "importance"));
  const std::int64_t table_rank = round.smaller.stem.embedding_rank;
  if (table_rank != round.larger.stem.embedding_rank) {
    FactorTable(kEmbedding, table_rank,
                TokenCounts(data_.train, options_.task.vocabulary),
                job.initial);
  }
  if (round.steps == 0) {
    return store_.Put("student", inputs,
                      {{kStudentFile, Bytes(std::move(job.initial))}});
  }
  const Teacher guide = GuideOf(round.guide, weights(round.guide_files));
  job.teacher = &guide;
  job.distillation.temperature = options_.distillation.temperature;
  return FileTrained("student", inputs, kStudentFile, std::move(job),
                     ShortTraining(round.steps, options.learning_rate),
                     on_progress);
}

std::vector<std::vector<double>> Stages::PrecisionErrorsOf(
    const Architecture& architecture, const StageResult& student,
    const std::vector<Precision>& precisions) const {
  return PrecisionErrors(
      architecture, options_.task,
      ReadSafeTensors(student.PathOf(kStudentFile)).tensors,
      SomeRows(data_.train,
               static_cast<std::size_t>(options_.compression.examples)),
      precisions, options_.quantization.reduce_range);
}

// As a student is trained, for fewer steps at another rate.
TrainingOptions Stages::ShortTraining(std::int64_t steps,
                                      double learning_rate) const {
  TrainingOptions training = options_.training;
  training.steps = steps;
  training.learning_rate = learning_rate;
  training.warmup_steps = steps / kShortWarmupShare;
  return training;
}

TrainingJob Stages::StudentJob(const Architecture& architecture,
                               std::uint64_t seed) const {
  TrainingJob job;
  job.architecture = architecture;
  job.task = options_.task;
  job.data = &data_.train;
  job.seed = seed;
  job.cancelled = options_.cancelled;
  return job;
}

std::variant<StageResult, Failure> Stages::FileTrained(
    const std::string& stage, const Json& inputs, const char* file,
    TrainingJob job, const TrainingOptions& training,
    const OnProgress& on_progress) const {
  TrainingPermit permit(options_.lock_folder);
  job.on_step = [&](std::int64_t step, std::int64_t steps) {
    permit.Yield();
    on_progress(static_cast<double>(step) / static_cast<double>(steps));
  };
  auto trained = TrainNetwork(job, training);
  if (const auto* failure = std::get_if<Failure>(&trained)) return *failure;
  return store_.Put(
      stage, inputs,
      {{file, Bytes(std::get<TrainingResult>(std::move(trained)).weights)}});
}

std::variant<StageResult, Failure> Stages::Quantized(
    const Candidate& candidate, const StageResult& student,
    const Sources& sources, const OnProgress& on_progress) const {
  const QuantizationOptions& options = options_.quantization;
  const Architecture& architecture = candidate.architecture;
  const std::optional<Teacher>& teacher = sources.teacher;
  const bool trains = options.qat_steps > 0 &&
                      candidate.fidelity == Fidelity::kTrained &&
                      HasCodes(architecture);
  Json inputs = {{"architecture", ToJson(architecture)},
                 {"student", student.Get(kStudentFile).sha256},
                 {"data", data_.content_hash},
                 {"quantization", FieldsToJson(options)},
                 {"quantizer", kQuantizerVersion},
                 {"libtorch", TorchVersion()}};
  if (trains) {
    inputs["training"] = FieldsToJson(options_.training);
    inputs["seed"] = candidate.seed;
    if (options.qat_guide == "teacher") {
      inputs["distillation"] = FieldsToJson(options_.distillation);
      inputs["teacher"] = TeacherIdentity(sources);
    } else {
      inputs["temperature"] = options_.distillation.temperature;
    }
  }
  // The architecture says what came of it.
  inputs["quantization"].erase("f32_where_faster");
  if (auto found = store_.Find("quantized", inputs)) return *found;
  NamedTensors weights = ReadSafeTensors(student.PathOf(kStudentFile)).tensors;
  // Training with rounded weights goes on from the same ones.
  if (options.fuse) weights = FuseNorms(architecture, std::move(weights));
  NamedTensors quantized = QuantizeNetwork(
      architecture, options_.task, weights,
      SomeRows(data_.train,
               static_cast<std::size_t>(options.calibration_examples)),
      options);
  if (!trains) {
    return store_.Put("quantized", inputs,
                      {{kQuantizedFile, Bytes(std::move(quantized))}});
  }
  TrainingJob job =
      StudentJob(architecture, StreamSeed(candidate.seed, 0, "qat"));
  job.initial = weights;
  job.quantized = std::move(quantized);
  std::optional<Teacher> guide;
  if (options.qat_guide == "student") {
    guide = GuideOf(architecture, weights);
    job.teacher = &*guide;
    job.distillation.temperature = options_.distillation.temperature;
  } else if (teacher) {
    job.teacher = &*teacher;
    job.distillation = options_.distillation;
  }
  return FileTrained(
      "quantized", inputs, kQuantizedFile, std::move(job),
      ShortTraining(options.qat_steps, options.qat_learning_rate), on_progress);
}

// A network in f32 as the teacher of what is made of it.
Teacher Stages::GuideOf(const Architecture& architecture,
                        const NamedTensors& weights) const {
  Teacher guide{WithoutPrecision(architecture), options_.task, weights};
  if (IsClassification(options_.task)) {
    guide.logits_NC = TeacherLogits(guide, data_.train, kInferenceBatch);
  }
  return guide;
}

StageResult Stages::Exported(
    const Architecture& architecture, const StageResult& quantized,
    const std::vector<std::string>& left_in_f32) const {
  Json inputs = {{"architecture", ToJson(architecture)},
                 {"task", TaskToJson(options_.task)},
                 {"quantized", quantized.Get(kQuantizedFile).sha256},
                 {"exporter", kOnnxExporterVersion}};
  std::map<std::string, std::string> metadata = {
      {"architecture", CanonicalText(architecture)}};
  if (!left_in_f32.empty()) {
    inputs[kLeftInF32Key] = left_in_f32;
    metadata[kLeftInF32Key] = Json(left_in_f32).dump();
  }
  if (auto found = store_.Find("exported", inputs)) return *found;
  return store_.Put(
      "exported", inputs,
      ExportOnnx(architecture, options_.task,
                 ReadSafeTensors(quantized.PathOf(kQuantizedFile)).tensors,
                 metadata));
}

StageResult Stages::Reference() const {
  const Architecture architecture =
      TeacherArchitecture(TeacherOptions{}, options_.task.topology);
  const Json inputs = {{"reference", ToJson(architecture)},
                       {"task", TaskToJson(options_.task)},
                       {"libtorch", TorchVersion()},
                       {"exporter", kOnnxExporterVersion}};
  if (auto found = store_.Find("reference", inputs)) return *found;
  return store_.Put("reference", inputs,
                    ExportOnnx(architecture, options_.task,
                               InitialWeights(architecture, options_.task,
                                              StreamSeed(0, 0, "reference")),
                               {}));
}

}  // namespace hone
