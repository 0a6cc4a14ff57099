#include "eval/trained_evaluator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <span>

#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include "eval/machine_lock.h"
#include "eval/quality.h"
#include "eval/simulated_evaluator.h"
#include "eval/stages.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::int64_t kInferenceBatch = 64;
constexpr std::size_t kParityRows = 512;

// A candidate on its way through the chain.
struct InFlight {
  const Candidate* candidate = nullptr;
  std::optional<Failure> failure;
  Measurement measurement;
  std::filesystem::path model;
};

// What makes two candidates share one trained student.
std::string StudentKey(const Candidate& candidate) {
  return std::to_string(candidate.seed) + " " +
         CanonicalText(WithoutPrecision(candidate.architecture));
}

// Adds up the fractions of stages that run side by side.
class BatchProgress {
 public:
  BatchProgress(const ProgressCallback& callback, std::string phase,
                std::size_t parts)
      : callback_(callback), phase_(std::move(phase)), done_(parts, 0) {}

  void Set(std::size_t part, double fraction) {
    if (!callback_) return;
    const std::lock_guard<std::mutex> guard(mutex_);
    done_[part] = fraction;
    double sum = 0;
    for (const double one : done_) sum += one;
    callback_(phase_, sum, static_cast<double>(done_.size()));
  }

 private:
  const ProgressCallback& callback_;
  std::string phase_;
  std::mutex mutex_;
  std::vector<double> done_;
};

// Evenly spaced rows, at most `count`.
TaskData Rows(const TaskData& data, std::size_t count) {
  TaskData rows;
  const std::size_t n = std::min(count, data.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t row = i * data.size() / n;
    rows.tokens.push_back(data.tokens[row]);
    rows.labels.push_back(data.labels[row]);
  }
  return rows;
}

// Root mean square of the difference over that of the reference's deviation
// from its mean.
double RelativeError(std::span<const float> actual,
                     std::span<const float> reference) {
  HONE_CHECK_EQ(actual.size(), reference.size());
  double mean = 0;
  for (const float value : reference) mean += value;
  mean /= static_cast<double>(reference.size());
  double error = 0;
  double spread = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error += std::pow(static_cast<double>(actual[i]) - reference[i], 2);
    spread += std::pow(reference[i] - mean, 2);
  }
  return std::sqrt(error / std::max(spread, 1e-30));
}

bool Has4BitBlocks(const Architecture& architecture) {
  return std::any_of(
      architecture.blocks.begin(), architecture.blocks.end(),
      [](const BlockSpec& block) { return block.precision == Precision::kW4; });
}

std::span<const float> Floats(const TensorData& tensor) {
  return {tensor.data<float>(), static_cast<std::size_t>(tensor.elements())};
}

}  // namespace

class TrainedEvaluator::Impl {
 public:
  Impl(const TrainedEvaluatorOptions& options, const PreparedData& data,
       Engine* engine)
      : options_(options),
        data_(data),
        engine_(engine),
        stages_(options_, data_),
        arena_(options.workers) {}

  std::vector<Outcome> Evaluate(const std::vector<Candidate>& batch) {
    EnsureTeacher();
    std::vector<InFlight> flights(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      flights[i].candidate = &batch[i];
    }
    const auto students = TrainStudents(batch);
    ForEach("exporting", flights.size(), [&](std::size_t i, const auto&) {
      ExportAndScore(flights[i], students.at(StudentKey(batch[i])));
    });
    MeasureLatencies(flights);
    std::vector<Outcome> outcomes;
    for (InFlight& flight : flights) {
      if (flight.failure) {
        outcomes.emplace_back(*std::move(flight.failure));
      } else {
        outcomes.emplace_back(std::move(flight.measurement));
      }
    }
    return outcomes;
  }

 private:
  using Student = std::variant<StageResult, Failure>;

  void CheckCancelled() const {
    if (options_.cancelled && *options_.cancelled) {
      throw Error(ErrorCode::kCancelled, "interrupted");
    }
  }

  void EnsureTeacher() {
    if (teacher_) return;
    BatchProgress progress(options_.progress, "teacher", 1);
    progress.Set(0, 0);
    teacher_files_ = stages_.TeacherFiles(
        [&](double fraction) { progress.Set(0, fraction); });
    teacher_ = stages_.LoadTeacher(teacher_files_);
    progress.Set(0, 1);
  }

  // Runs work(i, on_progress) for i < count, `workers` side by side.
  template <typename Work>
  void ForEach(const std::string& phase, std::size_t count, Work work) {
    BatchProgress progress(options_.progress, phase, count);
    arena_.execute([&] {
      tbb::parallel_for(
          std::size_t{0}, count,
          [&](std::size_t i) {
            tbb::this_task_arena::isolate([&] {
              CheckCancelled();
              work(i, [&](double fraction) { progress.Set(i, fraction); });
              progress.Set(i, 1);
            });
          },
          tbb::simple_partitioner());
    });
  }

  std::map<std::string, Student> TrainStudents(
      const std::vector<Candidate>& batch) {
    std::map<std::string, const Candidate*> distinct;
    for (const Candidate& candidate : batch) {
      distinct.emplace(StudentKey(candidate), &candidate);
    }
    std::vector<std::pair<std::string, const Candidate*>> work(distinct.begin(),
                                                               distinct.end());
    std::vector<std::optional<Student>> made(work.size());
    ForEach("training", work.size(), [&](std::size_t i, const auto& report) {
      const Candidate& candidate = *work[i].second;
      made[i] =
          stages_.Student(WithoutPrecision(candidate.architecture),
                          candidate.seed, *teacher_, teacher_files_, report);
    });
    std::map<std::string, Student> students;
    for (std::size_t i = 0; i < work.size(); ++i) {
      students.emplace(work[i].first, *std::move(made[i]));
    }
    return students;
  }

  void ExportAndScore(InFlight& flight, const Student& student) {
    if (const auto* failure = std::get_if<Failure>(&student)) {
      flight.failure = *failure;
      return;
    }
    const Architecture& architecture = flight.candidate->architecture;
    const auto& trained = std::get<StageResult>(student);
    const StageResult quantized = stages_.Quantized(architecture, trained);
    const StageResult exported = stages_.Exported(architecture, quantized);
    flight.model = exported.PathOf("model.onnx");
    auto& artifacts = flight.measurement.artifacts;
    for (const StageResult* stage :
         {&std::as_const(teacher_files_), &trained, &quantized, &exported}) {
      artifacts.insert(artifacts.end(), stage->artifacts.begin(),
                       stage->artifacts.end());
    }
    AddCosts(architecture, exported, flight.measurement);
    const NamedTensors weights =
        ReadSafeTensors(quantized.PathOf("quantized.safetensors")).tensors;
    if (engine_ == nullptr) {
      const TensorData logits_NC = ComputeQuantizedLogits(
          architecture, options_.task, weights, data_.dev, kInferenceBatch);
      AddQuality(Floats(logits_NC), flight.measurement);
    } else {
      ScoreExported(flight, weights);
    }
  }

  void AddCosts(const Architecture& architecture, const StageResult& exported,
                Measurement& measurement) const {
    const Cost cost =
        CostOf(architecture, options_.task, options_.measurement.batch,
               options_.measurement.tokens);
    auto& metrics = measurement.metrics;
    const auto count = [](auto value, const char* unit) {
      return Metric{static_cast<double>(value), unit, {}, {}};
    };
    metrics["parameters"] = count(cost.parameters, "1");
    metrics["multiply_adds"] = count(cost.multiply_adds, "1");
    metrics["weight_bytes"] = count(cost.weight_bytes, "B");
    metrics["file_bytes"] = count(exported.Get("model.onnx").bytes, "B");
  }

  void AddQuality(std::span<const float> logits_NC,
                  Measurement& measurement) const {
    const ClassificationQuality quality =
        QualityOf({logits_NC.begin(), logits_NC.end()}, data_.dev.labels,
                  options_.task.classes);
    measurement.metrics["accuracy"] = {quality.accuracy, "1", {}, {}};
    measurement.metrics["macro_f1"] = {quality.macro_f1, "1", {}, {}};
  }

  // Quality and parity of the exported file in the engine.
  void ScoreExported(InFlight& flight, const NamedTensors& weights) const {
    try {
      const auto model = engine_->Load(
          flight.model, {.threads = options_.measurement.threads});
      AddQuality(
          RunModel(*model, data_.dev, kInferenceBatch, options_.task.classes),
          flight.measurement);
      const double error = ParityError(flight, weights, *model);
      flight.measurement.metrics["parity_error"] = {error, "1", {}, {}};
      if (!(error <= options_.measurement.parity_tolerance)) {
        flight.failure =
            Failure{"parity",
                    "exported and reference logits differ by " +
                        std::to_string(error) + " of their spread; at most " +
                        std::to_string(options_.measurement.parity_tolerance) +
                        " is allowed"};
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUsage) throw;
      flight.failure = Failure{"engine", error.what()};
    }
  }

  // How far the exported file is from the eager interpreter with the same
  // weights. The engine may quantize the activations of 4-bit layers on its
  // own; the file itself is compared without that.
  double ParityError(const InFlight& flight, const NamedTensors& weights,
                     EngineModel& model) const {
    const Architecture& architecture = flight.candidate->architecture;
    std::unique_ptr<EngineModel> exact;
    if (Has4BitBlocks(architecture)) {
      exact = engine_->Load(
          flight.model,
          {.threads = options_.measurement.threads, .activation_group = 0});
    }
    const TaskData rows = Rows(data_.dev, kParityRows);
    const TensorData reference_NC = ComputeQuantizedLogits(
        architecture, options_.task, weights, rows, kInferenceBatch);
    return RelativeError(RunModel(exact ? *exact : model, rows, kInferenceBatch,
                                  options_.task.classes),
                         Floats(reference_NC));
  }

  void MeasureLatencies(std::vector<InFlight>& flights) {
    std::vector<InFlight*> alive;
    for (InFlight& flight : flights) {
      if (!flight.failure) alive.push_back(&flight);
    }
    if (engine_ == nullptr) {
      for (InFlight* flight : alive) {
        flight->measurement.metrics["latency_ms"] = {
            SimulatedLatencyMs(flight->candidate->architecture, options_.task,
                               options_.measurement.batch,
                               options_.measurement.tokens),
            "ms",
            {},
            {}};
        flight->measurement.environment["engine"] = "simulated";
      }
      return;
    }
    if (alive.empty()) return;
    CheckCancelled();
    BatchProgress progress(options_.progress, "measuring", 1);
    progress.Set(0, 0);
    TimeInTurn(alive);
    progress.Set(0, 1);
  }

  void TimeInTurn(const std::vector<InFlight*>& alive) {
    const MeasurementOptions& measurement = options_.measurement;
    const EngineOptions fixed{.threads = measurement.threads,
                              .batch = measurement.batch,
                              .tokens = measurement.tokens};
    const MeasuringPermit permit(options_.lock_folder);
    std::vector<std::unique_ptr<EngineModel>> loaded;
    std::vector<EngineModel*> models;
    loaded.push_back(
        engine_->Load(stages_.Reference().PathOf("model.onnx"), fixed));
    for (const InFlight* flight : alive) {
      loaded.push_back(engine_->Load(flight->model, fixed));
    }
    for (const auto& model : loaded) models.push_back(model.get());
    const std::vector<Latency> latencies =
        MeasureLatency(models, options_.task.vocabulary, measurement,
                       StreamSeed(options_.study_seed, 0, "latency"));
    for (std::size_t i = 0; i < alive.size(); ++i) {
      AddLatency(latencies[i + 1], latencies[0], *loaded[i + 1],
                 alive[i]->measurement);
    }
  }

  void AddLatency(const Latency& latency, const Latency& reference,
                  const EngineModel& model, Measurement& measurement) const {
    auto& metrics = measurement.metrics;
    metrics["latency_ms"] = {latency.median_ms, "ms", latency.low_ms,
                             latency.high_ms};
    metrics["latency_p95_ms"] = {latency.p95_ms, "ms", {}, {}};
    metrics["latency_ratio"] = {
        latency.median_ms / reference.median_ms, "1", {}, {}};
    metrics["peak_memory_bytes"] = {
        static_cast<double>(model.MemoryBytes()), "B", {}, {}};
    measurement.latency_rounds_ms = latency.rounds_ms;
    measurement.kernels = model.Kernels();
    measurement.environment = engine_->Describe();
    measurement.environment["threads"] =
        std::to_string(options_.measurement.threads);
    measurement.environment["activation_group"] =
        std::to_string(EngineOptions{}.activation_group);
    measurement.environment["libtorch"] = TorchVersion();
  }

  const TrainedEvaluatorOptions options_;
  const PreparedData& data_;
  Engine* engine_;
  Stages stages_;
  tbb::task_arena arena_;
  StageResult teacher_files_;
  std::optional<Teacher> teacher_;
};

TrainedEvaluator::TrainedEvaluator(const TrainedEvaluatorOptions& options,
                                   const PreparedData& data, Engine* engine)
    : impl_(std::make_unique<Impl>(options, data, engine)) {}

TrainedEvaluator::~TrainedEvaluator() = default;

std::vector<Outcome> TrainedEvaluator::Evaluate(
    const std::vector<Candidate>& batch) {
  return impl_->Evaluate(batch);
}

}  // namespace hone
