#pragma once

#include <string>
#include <vector>

#include "search/trial.h"
#include "space/constraint.h"

namespace hone {

enum class Direction { kMinimize, kMaximize };
std::string_view Name(Direction direction);

// A metric to optimise.
struct Objective {
  std::string metric;
  Direction direction = Direction::kMinimize;
};

// "minimize latency_ms" or "maximize accuracy".
// Throws Error{kUsage} with what would be right.
Objective ParseObjective(const std::string& text);

// The trial's objective values with maximised ones negated, so that smaller is
// better everywhere; empty when the trial failed.
// Throws Error{kUsage} when a complete trial lacks the metric.
std::vector<double> MinimizedValues(const Trial& trial,
                                    const std::vector<Objective>& objectives);
// What a trial is held to a bound with: the metric, and of a latency that was
// measured the end of its interval that is nearer to the bound, or beyond it,
// so that what satisfies a bound does so when it is measured again.
// Throws Error{kUsage} when a complete trial lacks the metric.
double ConstrainedValue(const Trial& trial, const Constraint& constraint);
// The sum of relative excesses over the bounds (constraints on measured
// metrics); 0 when feasible.
double Violation(const Trial& trial,
                 const std::vector<Constraint>& constraints);
// The minimised values of a trial that may be on the front: empty when it
// failed, is not of full fidelity or breaks a constraint.
std::vector<double> FeasibleValues(const Trial& trial,
                                   const std::vector<Objective>& objectives,
                                   const std::vector<Constraint>& constraints);

}  // namespace hone
