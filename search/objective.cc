#include "search/objective.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "space/base/error.h"

namespace hone {
namespace {

const Metric& MetricOf(const Trial& trial, const std::string& name) {
  const auto& metrics = std::get<Measurement>(trial.outcome).metrics;
  const auto found = metrics.find(name);
  if (found != metrics.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, metric] : metrics) names.push_back(known);
  throw Error(ErrorCode::kUsage, "trial " + std::to_string(trial.number) +
                                     " has no metric '" + name + "'" +
                                     DidYouMean(name, names));
}

}  // namespace

std::string_view Name(Direction direction) {
  return direction == Direction::kMinimize ? "minimize" : "maximize";
}

Objective ParseObjective(const std::string& text) {
  std::istringstream in(text);
  std::string word, metric, rest;
  in >> word >> metric;
  if ((word != "minimize" && word != "maximize") || metric.empty() ||
      in >> rest) {
    throw Error(ErrorCode::kUsage, "'" + text +
                                       "' is no objective; write \"maximize "
                                       "METRIC\" or \"minimize METRIC\"");
  }
  return {metric,
          word == "minimize" ? Direction::kMinimize : Direction::kMaximize};
}

std::vector<double> MinimizedValues(const Trial& trial,
                                    const std::vector<Objective>& objectives) {
  std::vector<double> values;
  if (trial.state() != TrialState::kComplete) return values;
  for (const Objective& objective : objectives) {
    const double value = MetricOf(trial, objective.metric).value;
    values.push_back(objective.direction == Direction::kMinimize ? value
                                                                 : -value);
  }
  return values;
}

double ConstrainedValue(const Trial& trial, const Constraint& constraint) {
  const Metric& metric = MetricOf(trial, constraint.metric);
  if (!IsLatency(constraint.metric)) return metric.value;
  return (constraint.at_most ? metric.high : metric.low).value_or(metric.value);
}

double Violation(const Trial& trial,
                 const std::vector<Constraint>& constraints) {
  if (trial.state() != TrialState::kComplete) return 0;
  double violation = 0;
  for (const Constraint& constraint : constraints) {
    const double value = ConstrainedValue(trial, constraint);
    if (Holds(constraint, value)) continue;
    violation += std::abs(value - constraint.bound) /
                 std::max(std::abs(constraint.bound), 1e-12);
  }
  return violation;
}

std::vector<double> FeasibleValues(const Trial& trial,
                                   const std::vector<Objective>& objectives,
                                   const std::vector<Constraint>& constraints) {
  if (!IsFull(trial.fidelity) || Violation(trial, constraints) > 0) return {};
  return MinimizedValues(trial, objectives);
}

}  // namespace hone
