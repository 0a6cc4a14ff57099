#include "experiments/build_study.h"

#include <algorithm>
#include <cstdlib>

#include <unistd.h>

#include "eval/engine/cpu.h"
#include "eval/libtorch_engine.h"
#include "eval/simulated_evaluator.h"
#include "eval/trained_evaluator.h"
#include "experiments/nominal_shape.h"
#include "search/make_algorithm.h"
#include "space/base/error.h"
#include "space/base/log.h"
#include "train/log_mel.h"
#include "train/supernet.h"

namespace hone {
namespace {

bool HasFixedLength(const TaskOptions& task) {
  return task.kind == "image-classification" ||
         task.kind == "audio-classification" ||
         (task.kind == "sequence-classification" && task.train.empty());
}

constexpr char kOpenVino[] = "openvino";
constexpr char kOnnxRuntime[] = "onnxruntime";
constexpr char kLibTorch[] = "libtorch";
constexpr char kAuto[] = "auto";
constexpr char kSimulated[] = "simulated";

std::string FromEnvironment(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value && *value ? value : otherwise;
}

std::unique_ptr<Engine> MakeInstalledOnnxRuntime() {
  OnnxRuntimeOptions options;
  options.python = FromEnvironment("HONE_PYTHON", "python3");
  options.packages =
      FromEnvironment("HONE_ONNXRUNTIME_ROOT", HONE_ONNXRUNTIME_ROOT);
  try {
    return MakeOnnxRuntimeEngine(options);
  } catch (const Error& error) {
    throw Error(error.code(),
                std::string(error.what()) +
                    "; scripts/setup --onnxruntime installs them, or set "
                    "HONE_ONNXRUNTIME_ROOT to their folder and HONE_PYTHON");
  }
}

}  // namespace

bool UsesSupernet(const SearchSpec& spec) {
  const auto& rungs = spec.search.rungs;
  return std::find(rungs.begin(), rungs.end(), Name(Fidelity::kInherited)) !=
         rungs.end();
}

TaskTools Tools() { return {.spectrogram = LogMel}; }

std::unique_ptr<Engine> MakeEngine(const std::string& name) {
  if (name == kOpenVino || name == kAuto) return MakeOpenVinoEngine();
  if (name == kOnnxRuntime) return MakeInstalledOnnxRuntime();
  if (name == kLibTorch) return MakeLibTorchEngine();
  if (name == kSimulated) return nullptr;
  throw Error(ErrorCode::kUsage,
              "unknown engine '" + name + "'" +
                  DidYouMean(name, {kOpenVino, kOnnxRuntime, kLibTorch, kAuto,
                                    kSimulated}));
}

std::vector<std::unique_ptr<Engine>> MakeEngines(const std::string& name) {
  std::vector<std::unique_ptr<Engine>> engines;
  if (auto engine = MakeEngine(name)) engines.push_back(std::move(engine));
  if (name != kAuto) return engines;
  try {
    engines.push_back(MakeInstalledOnnxRuntime());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    LogInfo(std::string("engine = \"auto\" measures in OpenVINO alone: ") +
            error.what());
  }
  return engines;
}

std::string EngineOf(const MeasurementOptions& options,
                     const Outcome& outcome) {
  const auto* measured = std::get_if<Measurement>(&outcome);
  if (options.engine != kAuto || !measured) return options.engine;
  const auto engine = measured->environment.find("engine");
  return engine == measured->environment.end() ? options.engine
                                               : engine->second;
}

void WarnOfSaturation(const SearchSpec& spec) {
  const auto& words = spec.space.precision;
  const bool int8 =
      std::any_of(words.begin(), words.end(), [](const std::string& word) {
        return ParsePrecision(word).int8_activations;
      });
  if (!int8 || spec.quantization.reduce_range || TrainsNothing(spec) ||
      spec.measurement.engine == kSimulated || !SaturatesInt8(DescribeCpu())) {
    return;
  }
  LogWarning(
      "this CPU has no VNNI: sums of u8 x s8 products saturate, so that 8-bit "
      "networks compute something else here and their trials may fail; "
      "quantization.reduce_range = true avoids it with 7-bit weights");
}

std::filesystem::path MachineLockFolder() {
  return std::filesystem::temp_directory_path() /
         ("hone-" + std::to_string(getuid()));
}

Workbench::Workbench(const SearchSpec& spec,
                     const std::filesystem::path& artifacts, int workers,
                     ProgressCallback progress,
                     const std::atomic<bool>* cancelled)
    : spec_(spec),
      artifacts_(artifacts),
      workers_(workers),
      progress_(std::move(progress)),
      cancelled_(cancelled) {
  if (TrainsNothing(spec)) {
    task_ = NominalShape(spec.task);
  } else {
    InitializeTorch();
    data_ = PrepareData(spec.task, Tools());
    task_ = data_->shape;
    // An image has as many patches as it has, and a row of pixels likewise.
    if (HasFixedLength(spec.task)) spec_.measurement.tokens = task_.max_tokens;
  }
  space_ = std::make_unique<SearchSpace>(spec.space, task_);
}

std::unique_ptr<SearchAlgorithm> Workbench::MakeAlgorithm() {
  AlgorithmContext context;
  context.space = space_.get();
  context.study_seed = static_cast<std::uint64_t>(spec_.study.seed);
  context.fidelity = ParseFidelity(spec_.search.fidelity);
  for (const std::string& text : spec_.study.objectives) {
    context.objectives.push_back(ParseObjective(text));
  }
  for (const std::string& text : spec_.study.constraints) {
    context.constraints.push_back(ParseConstraint(text));
  }
  const auto& rungs = spec_.search.rungs;
  const Fidelity lowest =
      rungs.empty() ? context.fidelity : ParseFidelity(rungs.front());
  context.precision_errors = [this, seed = context.study_seed, lowest](
                                 const Architecture& architecture,
                                 const std::vector<Precision>& precisions) {
    return evaluator().PrecisionErrors(
        {0, architecture, TrainingSeed(seed, architecture), lowest},
        precisions);
  };
  return MakeSearchAlgorithm(context, spec_.search);
}

Evaluator& Workbench::evaluator() {
  if (evaluator_) return *evaluator_;
  if (TrainsNothing(spec_)) {
    evaluator_ = MakeSimulatedEvaluator(task_, spec_.measurement);
    return *evaluator_;
  }
  engines_ = MakeEngines(spec_.measurement.engine);
  std::vector<Engine*> engines;
  for (const auto& engine : engines_) engines.push_back(engine.get());
  evaluator_ =
      std::make_unique<TrainedEvaluator>(StageOptions(), *data_, engines);
  return *evaluator_;
}

void Workbench::CheckCompute() {
  const std::vector<std::string>& words = spec_.space.compute;
  const auto bf16 = std::find(words.begin(), words.end(), Name(Compute::kBf16));
  if (bf16 == words.end()) return;
  evaluator();
  const bool served =
      engines_.empty() ||
      std::any_of(engines_.begin(), engines_.end(),
                  [](const auto& engine) { return engine->ComputesInBf16(); });
  if (served) return;
  throw Error(
      ErrorCode::kUsage,
      "space.compute[" + std::to_string(bf16 - words.begin()) +
          "]: 'bf16' needs an engine that computes in it: use "
          "measurement.engine = \"openvino\" or \"auto\" on a CPU with "
          "avx512_bf16 or amx_bf16, which 'hone doctor' shows, or leave bf16 "
          "out");
}

Candidate Workbench::LargestCandidate() const {
  const auto largest = space_->Largest();
  if (!largest) {
    throw Error(ErrorCode::kUsage,
                "compression.from_largest: the largest architecture of [space] "
                "breaks a constraint: widen space.constraints, or list smaller "
                "numbers");
  }
  const auto seed = static_cast<std::uint64_t>(spec_.study.seed);
  return {0, *largest, TrainingSeed(seed, *largest)};
}

TrainedEvaluatorOptions Workbench::StageOptions() const {
  TrainedEvaluatorOptions options;
  options.study_seed = static_cast<std::uint64_t>(spec_.study.seed);
  options.task = task_;
  options.teacher = spec_.teacher;
  options.teacher_training = spec_.teacher_training;
  options.training = spec_.training;
  options.distillation = spec_.distillation;
  options.compression = spec_.compression;
  options.parent_compression = parent_compression_;
  if (spec_.compression.from_largest) options.largest = LargestCandidate();
  if (UsesSupernet(spec_)) {
    const Architecture largest = LargestOf(*space_);
    options.supernet.emplace(
        SupernetPlan{*space_, spec_.supernet, spec_.supernet_training,
                     TrainingSeed(options.study_seed, largest)});
  }
  options.short_steps = spec_.search.short_steps;
  options.quantization = spec_.quantization;
  options.measurement = spec_.measurement;
  options.artifacts = artifacts_;
  options.lock_folder = MachineLockFolder();
  options.workers = workers_;
  options.progress = progress_;
  options.cancelled = cancelled_;
  return options;
}

const PreparedData& Workbench::data() const {
  HONE_CHECK(data_.has_value());
  return *data_;
}

std::string Workbench::Vocabulary() const {
  return data_ ? data_->vocabulary_bytes : std::string();
}

std::vector<std::string> Workbench::Classes() const {
  return data_ ? data_->classes : std::vector<std::string>();
}

std::int64_t Workbench::TrainingExamples() const {
  return data_ ? static_cast<std::int64_t>(data_->train.size()) : 0;
}

std::int64_t Workbench::SoundRate() const {
  return data_ ? data_->train.frames.rate : 0;
}

void Workbench::CheckData(const Trial& trial) const {
  const auto* measured = std::get_if<Measurement>(&trial.outcome);
  if (!data_ || !measured) return;
  const auto hash = measured->environment.find(kDataKey);
  if (hash == measured->environment.end() ||
      hash->second == data_->content_hash) {
    return;
  }
  throw Error(ErrorCode::kUsage,
              "trial " + std::to_string(trial.number) +
                  " was made of other data than [task] reads now; restore the "
                  "files, or begin another study with --study FILE");
}

PixelScale Workbench::Pixels() const {
  return data_ ? data_->pixels : PixelScale{};
}

}  // namespace hone
