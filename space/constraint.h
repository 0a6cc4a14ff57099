#pragma once

#include <string>
#include <vector>

namespace hone {

// metric <= bound, or metric >= bound: on the closed-form cost in a search
// space, on measured metrics in a study.
struct Constraint {
  std::string metric;
  bool at_most = true;
  double bound = 0;
};

// "parameters <= 2e6". Throws Error{kUsage} with what would be right.
Constraint ParseConstraint(const std::string& text);
std::string ToText(const Constraint& constraint);
bool Holds(const Constraint& constraint, double value);

}  // namespace hone
