#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "space/architecture.h"

namespace hone {

// One number with its unit, and where it was sampled a 95 % interval.
struct Metric {
  double value = 0;
  std::string unit;
  std::optional<double> low;
  std::optional<double> high;
  bool operator==(const Metric&) const = default;
};

// A file that a stage made. Path is relative to the study's artifacts folder,
// empty where the file was not kept; the hash is of its bytes.
struct Artifact {
  std::string role;  // "teacher", "student", "quantized", "model.onnx", ...
  std::string path;
  std::string sha256;
  std::int64_t bytes = 0;
  bool operator==(const Artifact&) const = default;
};

// Kernels that the engine really ran, from its runtime model: one entry for
// each kind of layer, primitive and precision.
struct KernelCount {
  std::string layer;      // "FullyConnected"
  std::string primitive;  // "brgemm_avx512_vnni"
  std::string precision;  // "u8", "f32"
  std::int64_t count = 0;
  bool operator==(const KernelCount&) const = default;
};

// What is known of a trial after it was evaluated. Metric names: accuracy,
// macro_f1 (dev split), latency_ms, latency_p95_ms, latency_ratio (to the
// reference model), file_bytes, parameters, multiply_adds, weight_bytes,
// peak_memory_bytes, parity_error (root mean square of exported - reference
// logits, as a share of the reference logits' spread).
struct Measurement {
  std::map<std::string, Metric> metrics;
  // Median latency of each round in milliseconds, in the order they ran.
  std::vector<double> latency_rounds_ms;
  std::vector<KernelCount> kernels;
  std::vector<Artifact> artifacts;
  // CPU, ISA flags, engine and version, threads: name -> value.
  std::map<std::string, std::string> environment;
  bool operator==(const Measurement&) const = default;
};

// Why a trial has no measurement: an expected outcome, kept as a row.
struct Failure {
  std::string code;    // "diverged", "parity", "engine", "export"
  std::string reason;  // one sentence for people
  bool operator==(const Failure&) const = default;
};

using Outcome = std::variant<Measurement, Failure>;

// Metrics whose values depend on the machine's clock and are therefore no part
// of a study's digest: those that end in "_seconds".
bool IsWallClock(const std::string& metric);
// What a network's answers are judged by: training it further changes them.
bool IsQuality(const std::string& metric);
// Times of exported networks and ratios of such: no two readings are the same.
bool IsLatency(const std::string& metric);

}  // namespace hone
