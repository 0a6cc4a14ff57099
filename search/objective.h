#pragma once

#include <string>
#include <vector>

#include "search/trial.h"

namespace hone {

enum class Direction { kMinimize, kMaximize };
std::string_view Name(Direction direction);

// A metric to optimise.
struct Objective {
  std::string metric;
  Direction direction = Direction::kMinimize;
};

// A bound on a measured metric; a trial that breaks one is never on the front.
struct Constraint {
  std::string metric;
  bool at_most = true;
  double bound = 0;
};

// "minimize latency_ms" / "maximize accuracy", "latency_ms <= 2".
// Throw Error{kUsage} with what would be right.
Objective ParseObjective(const std::string& text);
Constraint ParseConstraint(const std::string& text);

// The trial's objective values with maximised ones negated, so that smaller is
// better everywhere; empty when the trial failed.
// Throws Error{kUsage} when a complete trial lacks the metric.
std::vector<double> MinimizedValues(const Trial& trial,
                                    const std::vector<Objective>& objectives);
// The sum of relative excesses over the bounds; 0 when feasible.
double Violation(const Trial& trial, const std::vector<Constraint>& constraints);

}  // namespace hone
