#include "eval/exported_precisions.h"

#include "eval/batch_progress.h"
#include "eval/faster_layers.h"
#include "eval/latency_probe.h"
#include "eval/latency_table.h"
#include "space/base/error.h"

namespace hone {

ExportedPrecisions::ExportedPrecisions(const TrainedEvaluatorOptions& options,
                                       const PreparedData& data, Engine* engine)
    : options_(options),
      data_(data),
      engine_(engine),
      store_(options.artifacts) {}

std::vector<Candidate> ExportedPrecisions::Of(std::vector<Candidate> batch) {
  std::vector<Architecture*> open;
  for (Candidate& one : batch) {
    if (one.exported) {
      one.architecture = *one.exported;
    } else {
      open.push_back(&one.architecture);
    }
  }
  if (options_.quantization.f32_where_faster && !open.empty()) {
    LeaveInF32(open);
  }
  return batch;
}

void ExportedPrecisions::LeaveInF32(
    const std::vector<Architecture*>& architectures) {
  if (!timer_) {
    timer_.emplace(engine_, options_.task, data_.train, options_.measurement,
                   LatencyProbe::kCoarseRounds, options_.lock_folder);
  }
  BatchProgress progress(options_.progress, "timing layers",
                         architectures.size());
  const LatencyTable latencies(
      store_, timer_->device(), [&](const std::vector<Architecture>& networks) {
        if (options_.cancelled && *options_.cancelled) {
          throw Error(ErrorCode::kCancelled, "interrupted");
        }
        return timer_->Measure(networks);
      });
  for (std::size_t i = 0; i < architectures.size(); ++i) {
    try {
      *architectures[i] = WithF32WhereFaster(*architectures[i], latencies);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUsage) throw;
    }
    progress.Set(i, 1);
  }
}

}  // namespace hone
