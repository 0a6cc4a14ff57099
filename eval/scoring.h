#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "eval/engine/engine.h"
#include "eval/latency.h"
#include "eval/measurement.h"
#include "eval/quality.h"
#include "space/base/tensor_data.h"
#include "train/data/task.h"

namespace hone {

// What one engine makes of a candidate's files: its quality, and whether that
// is the network's.
struct Scored {
  std::optional<Failure> failure;  // "parity" or "engine"
  std::map<std::string, Metric> metrics;
};

// The quality of networks on the dev split. Thread-safe.
class Scoring {
 public:
  // The arguments must outlive it.
  Scoring(const TaskShape& task, const MeasurementOptions& measurement,
          const PreparedData& data)
      : task_(task), measurement_(measurement), data_(data) {}

  // Without an engine: the eager interpreter with quantized weights.
  std::map<std::string, Metric> Eager(const Architecture& architecture,
                                      const NamedTensors& weights) const;
  // Of exported files in an engine, with parity_error against those weights.
  Scored Exported(Engine& engine, const std::filesystem::path& folder,
                  const Architecture& architecture,
                  const NamedTensors& weights) const;

 private:
  QualityMeter NewMeter() const;
  std::vector<std::int64_t> LabelsOf(const Batch& batch) const;
  void AddQuality(const QualityMeter& meter,
                  std::map<std::string, Metric>& metrics) const;
  // BLEU of translations of the dev split, or of a part of it.
  void AddBleu(StepModel& model, std::map<std::string, Metric>& metrics) const;

  const TaskShape& task_;
  const MeasurementOptions& measurement_;
  const PreparedData& data_;
};

}  // namespace hone
