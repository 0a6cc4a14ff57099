#include "eval/evaluator.h"

#include "space/base/error.h"

namespace hone {

std::string_view Name(Fidelity fidelity) {
  return fidelity == Fidelity::kCost ? "cost" : "trained";
}

Fidelity ParseFidelity(std::string_view name) {
  if (name == "cost") return Fidelity::kCost;
  if (name == "trained") return Fidelity::kTrained;
  throw Error(ErrorCode::kUsage, "unknown fidelity '" + std::string(name) +
                                     "'" +
                                     DidYouMean(name, {"cost", "trained"}));
}

bool IsWallClock(const std::string& metric) {
  return metric.ends_with("_seconds");
}

}  // namespace hone
