#include "eval/trained_evaluator.h"

#include <algorithm>
#include <map>
#include <optional>

#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include "eval/batch_progress.h"
#include "eval/export/onnx_export.h"
#include "eval/exported_precisions.h"
#include "eval/faster_layers.h"
#include "eval/machine_lock.h"
#include "eval/scoring.h"
#include "eval/simulated_evaluator.h"
#include "eval/stages.h"
#include "eval/timed_network.h"
#include "space/base/error.h"

namespace hone {
namespace {

// A candidate on its way through the chain.
struct InFlight {
  const Candidate* candidate = nullptr;
  std::vector<std::string> left_in_f32;  // LayersLeftInF32
  std::optional<Failure> failure;
  Measurement measurement;
  std::filesystem::path folder;   // of the exported files
  std::vector<Scored> scored;     // by each engine
  std::vector<StageResult> made;  // student, quantized, exported
};

// What makes two candidates share one trained student.
std::string StudentKey(const Candidate& candidate) {
  const std::string key =
      std::string(Name(candidate.fidelity)) + " " +
      std::to_string(candidate.seed) + " " +
      CanonicalText(WithoutPrecision(candidate.architecture));
  if (!candidate.parent) return key;
  return key + " of " + CanonicalText(WithoutPrecision(*candidate.parent)) +
         " without " + candidate.dropped;
}

}  // namespace

class TrainedEvaluator::Impl {
 public:
  Impl(const TrainedEvaluatorOptions& options, const PreparedData& data,
       std::vector<Engine*> engines)
      : options_(options),
        data_(data),
        engines_(std::move(engines)),
        stages_(options_, data_),
        precisions_(options_, data_, engines_.empty() ? nullptr : engines_[0]),
        scoring_(options_.task, options_.measurement, data_),
        arena_(options.workers) {}

  std::vector<Outcome> Evaluate(const std::vector<Candidate>& asked) {
    EnsureSources();
    const std::vector<Candidate> batch = precisions_.Of(asked);
    std::vector<InFlight> flights(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      flights[i].candidate = &batch[i];
      flights[i].left_in_f32 =
          LayersLeftInF32(asked[i].architecture, batch[i].architecture);
    }
    const auto students = TrainStudents(batch);
    ForEach(
        "exporting", flights.size(), [&](std::size_t i, const auto& report) {
          ExportAndScore(flights[i], students.at(StudentKey(batch[i])), report);
        });
    MeasureLatencies(flights);
    for (InFlight& flight : flights) {
      flight.measurement.environment[kDataKey] = data_.content_hash;
      ForgetInherited(flight);
      if (flight.left_in_f32.empty()) continue;
      flight.measurement.environment.merge(
          PrecisionEntries(flight.candidate->architecture));
    }
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

  std::vector<std::vector<double>> PrecisionErrors(
      const Candidate& candidate, const std::vector<Precision>& precisions) {
    EnsureSources();
    const Student student =
        TrainStudents({candidate}).at(StudentKey(candidate));
    if (std::holds_alternative<Failure>(student)) return {};
    return stages_.PrecisionErrorsOf(
        candidate.architecture, std::get<StageResult>(student), precisions);
  }

 private:
  using Student = std::variant<StageResult, Failure>;

  void CheckCancelled() const {
    if (options_.cancelled && *options_.cancelled) {
      throw Error(ErrorCode::kCancelled, "interrupted");
    }
  }

  void EnsureSources() {
    if (options_.distillation.UsesTeacher() && !sources_.teacher) {
      Alone("teacher", [&](const auto& report) {
        sources_.teacher_files = stages_.TeacherFiles(report);
        sources_.teacher = stages_.LoadTeacher(sources_.teacher_files);
      });
    }
    if (options_.supernet && !sources_.supernet) {
      Alone("supernet", [&](const auto& report) {
        const Student made = stages_.Supernet(sources_, report);
        if (const auto* failure = std::get_if<Failure>(&made)) {
          throw Error(ErrorCode::kUsage, failure->reason);
        }
        sources_.supernet = std::get<StageResult>(made);
        sources_.warm_teacher = stages_.WarmTeacher(sources_);
      });
    }
  }

  // Runs work(on_progress), with all workers to itself.
  template <typename Work>
  void Alone(const std::string& phase, Work work) {
    BatchProgress progress(options_.progress, phase, 1);
    progress.Set(0, 0);
    arena_.execute(
        [&] { work([&](double fraction) { progress.Set(0, fraction); }); });
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
    EnsureLargest();
    std::map<std::string, const Candidate*> distinct;
    for (const Candidate& candidate : batch) {
      distinct.emplace(StudentKey(candidate), &candidate);
    }
    std::vector<std::pair<std::string, const Candidate*>> work(distinct.begin(),
                                                               distinct.end());
    std::vector<std::optional<Student>> made(work.size());
    ForEach("training", work.size(), [&](std::size_t i, const auto& report) {
      made[i] = TrainStudent(*work[i].second, report);
    });
    std::map<std::string, Student> students;
    for (std::size_t i = 0; i < work.size(); ++i) {
      students.emplace(work[i].first, *std::move(made[i]));
    }
    return students;
  }

  Student TrainStudent(const Candidate& candidate,
                       const Stages::OnProgress& report) {
    const std::optional<Candidate> larger = LargerOf(candidate);
    if (!larger) return TrainFromStart(candidate, report);
    const Student files = TrainStudent(*larger, report);
    if (std::holds_alternative<Failure>(files)) return files;
    Candidate smaller = candidate;
    smaller.parent = larger->architecture;
    const bool named = candidate.parent && options_.parent_compression;
    return stages_.Shrunk(
        smaller, std::get<StageResult>(files),
        named ? *options_.parent_compression : options_.compression, report);
  }

  Student TrainFromStart(const Candidate& candidate,
                         const Stages::OnProgress& report) {
    const Architecture architecture = WithoutPrecision(candidate.architecture);
    if (candidate.fidelity == Fidelity::kInherited) {
      HONE_CHECK(sources_.supernet.has_value());
      return stages_.Inherited(architecture, *sources_.supernet);
    }
    const bool brief = candidate.fidelity == Fidelity::kShort;
    return stages_.Student(
        architecture, candidate.seed,
        brief ? options_.short_steps : options_.training.steps, sources_,
        report);
  }

  // What the candidate is cut out of, if anything.
  std::optional<Candidate> LargerOf(const Candidate& candidate) const {
    if (candidate.parent) {
      return Candidate{0, *candidate.parent, candidate.seed,
                       candidate.fidelity};
    }
    if (!options_.largest || candidate.fidelity != Fidelity::kTrained) {
      return std::nullopt;
    }
    const Architecture own = WithoutPrecision(candidate.architecture);
    const Architecture largest =
        WithoutPrecision(options_.largest->architecture);
    if (largest == own || !CanShrink(largest, own)) return std::nullopt;
    return options_.largest;
  }

  // Before students train side by side, so that only one of them trains it.
  void EnsureLargest() {
    if (!options_.largest) return;
    Alone("largest",
          [&](const auto& report) { TrainStudent(*options_.largest, report); });
  }

  void ExportAndScore(InFlight& flight, const Student& student,
                      const Stages::OnProgress& report) {
    if (const auto* failure = std::get_if<Failure>(&student)) {
      flight.failure = *failure;
      return;
    }
    const Architecture& architecture = flight.candidate->architecture;
    const auto& trained = std::get<StageResult>(student);
    const Student rounded =
        stages_.Quantized(*flight.candidate, trained, sources_, report);
    if (const auto* failure = std::get_if<Failure>(&rounded)) {
      flight.failure = *failure;
      return;
    }
    const auto& quantized = std::get<StageResult>(rounded);
    const StageResult exported =
        stages_.Exported(architecture, quantized, flight.left_in_f32);
    flight.folder = exported.PathOf(kModelFile).parent_path();
    auto& artifacts = flight.measurement.artifacts;
    artifacts = sources_.teacher_files.artifacts;
    flight.made = {trained, quantized, exported};
    for (const StageResult& stage : flight.made) {
      artifacts.insert(artifacts.end(), stage.artifacts.begin(),
                       stage.artifacts.end());
    }
    AddCosts(architecture, exported, flight.measurement);
    const NamedTensors weights =
        ReadSafeTensors(quantized.PathOf(kQuantizedFile)).tensors;
    if (engines_.empty()) {
      flight.measurement.metrics.merge(scoring_.Eager(architecture, weights));
      return;
    }
    for (Engine* engine : engines_) {
      flight.scored.push_back(
          scoring_.Exported(*engine, flight.folder, architecture, weights));
    }
    const bool runs = std::any_of(
        flight.scored.begin(), flight.scored.end(),
        [](const Scored& scored) { return !scored.failure.has_value(); });
    if (!runs) flight.failure = flight.scored.front().failure;
  }

  // Parts of the supernet are many, and cut out again in a second.
  void ForgetInherited(InFlight& flight) const {
    const Candidate& candidate = *flight.candidate;
    if (candidate.fidelity != Fidelity::kInherited || candidate.parent) return;
    auto& artifacts = flight.measurement.artifacts;
    for (const StageResult& stage : flight.made) {
      stages_.Forget(stage);
      for (const Artifact& gone : stage.artifacts) {
        std::find(artifacts.begin(), artifacts.end(), gone)->path.clear();
      }
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
    if (options_.task.topology != Topology::kEncoder) {
      metrics["cache_bytes"] = count(cost.cache_bytes, "B");
    }
    std::int64_t file_bytes = 0;
    for (const Artifact& file : exported.artifacts) file_bytes += file.bytes;
    metrics["file_bytes"] = count(file_bytes, "B");
  }

  void MeasureLatencies(std::vector<InFlight>& flights) {
    std::vector<InFlight*> alive;
    for (InFlight& flight : flights) {
      if (!flight.failure) alive.push_back(&flight);
    }
    if (engines_.empty()) {
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
    TimeAll(alive);
    progress.Set(0, 1);
  }

  // A network in one engine, and how long its runs took.
  struct Timed {
    std::size_t engine = 0;
    InFlight* flight = nullptr;  // null: the reference
    std::unique_ptr<TimedNetwork> network;
    Latency latency;
  };

  Timed LoadTimed(std::size_t engine, InFlight* flight,
                  const std::filesystem::path& folder) const {
    return {engine,
            flight,
            std::make_unique<TimedNetwork>(
                *engines_[engine], folder, options_.task, options_.measurement,
                StreamSeed(options_.study_seed, 0, "latency")),
            {}};
  }

  // The reference, in the first engine, and each candidate in every engine that
  // runs it, all in turn; a candidate keeps the numbers of its fastest, and
  // fails where none gets through.
  void TimeAll(const std::vector<InFlight*>& alive) {
    const MeasuringPermit permit(options_.lock_folder);
    std::vector<Timed> timed = LoadAll(alive);
    TimeEach(timed);
    for (InFlight* flight : alive) {
      const Timed* fastest = nullptr;
      for (const Timed& one : timed) {
        if (one.flight != flight) continue;
        if (!fastest || one.latency.median_ms < fastest->latency.median_ms) {
          fastest = &one;
        }
      }
      if (fastest) {
        Keep(*fastest, timed[0].latency, *flight);
      } else {
        flight->failure = flight->scored.front().failure;
      }
    }
  }

  // Of an engine that refuses, or dies of, what it is asked. In a handler.
  static void LeaveOut(InFlight& flight, std::size_t engine,
                       const Error& error) {
    if (error.code() != ErrorCode::kUsage) throw;
    flight.scored[engine].failure = Failure{"engine", error.what()};
  }

  std::vector<Timed> LoadAll(const std::vector<InFlight*>& alive) const {
    std::vector<Timed> timed;
    timed.push_back(LoadTimed(
        0, nullptr, stages_.Reference().PathOf(kModelFile).parent_path()));
    for (InFlight* flight : alive) {
      for (std::size_t e = 0; e < engines_.size(); ++e) {
        if (flight->scored[e].failure) continue;
        try {
          timed.push_back(LoadTimed(e, flight, flight->folder));
        } catch (const Error& error) {
          LeaveOut(*flight, e, error);
        }
      }
    }
    return timed;
  }

  // Whatever fails is taken out, and the rest is timed anew.
  void TimeEach(std::vector<Timed>& timed) const {
    while (true) {
      std::size_t running = 0;
      std::vector<TimedRun> runs;
      for (std::size_t i = 0; i < timed.size(); ++i) {
        runs.push_back([&, i] {
          running = i;
          return timed[i].network->Milliseconds();
        });
      }
      try {
        const std::vector<Latency> latencies =
            TimeInTurn(runs, options_.measurement,
                       StreamSeed(options_.study_seed, 0, "latency"));
        for (std::size_t i = 0; i < timed.size(); ++i) {
          timed[i].latency = latencies[i];
        }
        return;
      } catch (const Error& error) {
        if (running == 0) throw;
        LeaveOut(*timed[running].flight, timed[running].engine, error);
        timed.erase(timed.begin() + static_cast<std::ptrdiff_t>(running));
      }
    }
  }

  void Keep(const Timed& timed, const Latency& reference,
            InFlight& flight) const {
    flight.measurement.metrics.merge(flight.scored[timed.engine].metrics);
    AddLatency(timed, reference, flight.measurement);
    AddDecodeTimes(timed.network->times(), flight.measurement);
  }

  void AddDecodeTimes(const DecodeTimes& times,
                      Measurement& measurement) const {
    if (times.prefill_ms.empty()) return;
    auto& metrics = measurement.metrics;
    metrics["generate_ms"] = metrics.at("latency_ms");
    metrics["prefill_ms"] = {Median(times.prefill_ms), "ms", {}, {}};
    if (times.per_token_ms.empty()) return;
    metrics["ms_per_token"] = {Median(times.per_token_ms), "ms", {}, {}};
  }

  void AddLatency(const Timed& timed, const Latency& reference,
                  Measurement& measurement) const {
    const Latency& latency = timed.latency;
    auto& metrics = measurement.metrics;
    metrics["latency_ms"] = {latency.median_ms, "ms", latency.low_ms,
                             latency.high_ms};
    metrics["latency_p95_ms"] = {latency.p95_ms, "ms", {}, {}};
    metrics["latency_ratio"] = {
        latency.median_ms / reference.median_ms, "1", {}, {}};
    metrics["peak_memory_bytes"] = {
        static_cast<double>(timed.network->network().MemoryBytes()),
        "B",
        {},
        {}};
    measurement.latency_rounds_ms = latency.rounds_ms;
    measurement.kernels = timed.network->network().Kernels();
    measurement.environment = engines_[timed.engine]->Describe();
    measurement.environment["threads"] =
        std::to_string(options_.measurement.threads);
    measurement.environment["activation_group"] =
        std::to_string(EngineOptions{}.activation_group);
    measurement.environment["libtorch"] = TorchVersion();
  }

  const TrainedEvaluatorOptions options_;
  const PreparedData& data_;
  std::vector<Engine*> engines_;
  Stages stages_;
  ExportedPrecisions precisions_;
  Scoring scoring_;
  tbb::task_arena arena_;
  Stages::Sources sources_;
};

TrainedEvaluator::TrainedEvaluator(const TrainedEvaluatorOptions& options,
                                   const PreparedData& data,
                                   std::vector<Engine*> engines)
    : impl_(std::make_unique<Impl>(options, data, std::move(engines))) {}

TrainedEvaluator::TrainedEvaluator(const TrainedEvaluatorOptions& options,
                                   const PreparedData& data, Engine* engine)
    : TrainedEvaluator(
          options, data,
          engine ? std::vector<Engine*>{engine} : std::vector<Engine*>{}) {}

TrainedEvaluator::~TrainedEvaluator() = default;

std::vector<Outcome> TrainedEvaluator::Evaluate(
    const std::vector<Candidate>& batch) {
  return impl_->Evaluate(batch);
}

std::vector<std::vector<double>> TrainedEvaluator::PrecisionErrors(
    const Candidate& candidate, const std::vector<Precision>& precisions) {
  return impl_->PrecisionErrors(candidate, precisions);
}

}  // namespace hone
