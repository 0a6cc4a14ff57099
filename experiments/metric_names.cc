#include "experiments/metric_names.h"

namespace hone {

const std::vector<std::string>& MetricNames() {
  static const std::vector<std::string> kNames = {
      "accuracy",           "macro_f1",           "bleu",
      "nats_per_token",     "bits_per_token",     "perplexity",
      "nats_per_character", "bits_per_character", "latency_ms",
      "latency_p95_ms",     "latency_ratio",      "generate_ms",
      "prefill_ms",         "ms_per_token",       "file_bytes",
      "parameters",         "multiply_adds",      "weight_bytes",
      "cache_bytes",        "peak_memory_bytes",  "parity_error"};
  return kNames;
}

}  // namespace hone
