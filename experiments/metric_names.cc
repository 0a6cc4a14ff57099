#include "experiments/metric_names.h"

#include <algorithm>
#include <set>

namespace hone {
namespace {

bool TimesFiles(const SearchSpec& spec) {
  return !TrainsNothing(spec) && spec.measurement.engine != "simulated";
}

std::set<std::string> QualitiesOf(const SearchSpec& spec) {
  if (TrainsNothing(spec)) return {"accuracy"};
  const Topology topology = TopologyOf(spec.task);
  if (topology == Topology::kEncoder) return {"accuracy", "macro_f1"};
  std::set<std::string> names = {"nats_per_token", "bits_per_token",
                                 "perplexity", "nats_per_character",
                                 "bits_per_character"};
  if (topology == Topology::kEncoderDecoder) names.insert("bleu");
  return names;
}

}  // namespace

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

std::vector<std::string> MetricsOf(const SearchSpec& spec) {
  const bool decodes = TopologyOf(spec.task) != Topology::kEncoder;
  std::set<std::string> had = QualitiesOf(spec);
  had.insert({"latency_ms", "parameters", "multiply_adds", "weight_bytes"});
  if (!TrainsNothing(spec)) {
    had.insert("file_bytes");
    if (decodes) had.insert("cache_bytes");
  }
  if (TimesFiles(spec)) {
    had.insert({"latency_p95_ms", "latency_ratio", "peak_memory_bytes",
                "parity_error"});
    if (decodes) had.insert({"generate_ms", "prefill_ms"});
    if (decodes && spec.measurement.new_tokens > 1) had.insert("ms_per_token");
  }
  std::vector<std::string> names;
  std::copy_if(MetricNames().begin(), MetricNames().end(),
               std::back_inserter(names),
               [&](const std::string& name) { return had.contains(name); });
  return names;
}

std::vector<std::string> UsualObjectives(const SearchSpec& spec) {
  const std::vector<std::string> metrics = MetricsOf(spec);
  const auto first_of = [&](const std::vector<std::string>& names) {
    return *std::find_if(names.begin(), names.end(), [&](const auto& name) {
      return std::find(metrics.begin(), metrics.end(), name) != metrics.end();
    });
  };
  const std::string quality =
      first_of({"accuracy", "bleu", "nats_per_character"});
  const bool loss = quality == "nats_per_character";
  const std::string time = quality == "bleu"
                               ? first_of({"generate_ms", "latency_ms"})
                               : first_of({"ms_per_token", "latency_ms"});
  return {(loss ? "minimize " : "maximize ") + quality, "minimize " + time};
}

}  // namespace hone
