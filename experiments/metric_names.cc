#include "experiments/metric_names.h"

namespace hone {

const std::vector<std::string>& MetricNames() {
  static const std::vector<std::string> kNames = {
      "accuracy",      "macro_f1",          "latency_ms",  "latency_p95_ms",
      "latency_ratio", "file_bytes",        "parameters",  "multiply_adds",
      "weight_bytes",  "peak_memory_bytes", "parity_error"};
  return kNames;
}

}  // namespace hone
