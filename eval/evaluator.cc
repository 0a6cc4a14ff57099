#include "eval/evaluator.h"

#include <algorithm>

#include "space/base/error.h"

namespace hone {

namespace {

// In declaration order.
const std::vector<std::string>& FidelityNames() {
  static const std::vector<std::string> names{"cost", "inherited", "short",
                                              "trained"};
  return names;
}

}  // namespace

std::string_view Name(Fidelity fidelity) {
  return FidelityNames()[static_cast<std::size_t>(fidelity)];
}

Fidelity ParseFidelity(std::string_view name) {
  const std::vector<std::string>& names = FidelityNames();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) {
    return static_cast<Fidelity>(found - names.begin());
  }
  throw Error(ErrorCode::kUsage, "unknown fidelity '" + std::string(name) +
                                     "'" + DidYouMean(name, names));
}

bool IsFull(Fidelity fidelity) {
  return fidelity == Fidelity::kCost || fidelity == Fidelity::kTrained;
}

bool IsWallClock(const std::string& metric) {
  return metric.ends_with("_seconds");
}

bool IsQuality(const std::string& metric) {
  return metric == "accuracy" || metric == "macro_f1" || metric == "bleu" ||
         metric == "perplexity" || metric.starts_with("nats_per_") ||
         metric.starts_with("bits_per_");
}

bool IsLatency(const std::string& metric) {
  return metric.starts_with("latency_") || metric.ends_with("_ms") ||
         metric == "ms_per_token";
}

}  // namespace hone
