#pragma once

#include <string>
#include <vector>

#include "experiments/search_spec.h"

namespace hone {

// The metrics that a measurement may hold (eval/measurement.h), for checks of
// specs and for suggestions. The order is that of tables.
const std::vector<std::string>& MetricNames();

// Those that the complete trials of a search have.
std::vector<std::string> MetricsOf(const SearchSpec& spec);

// What a search is for unless its spec says so: the quality that people ask of
// such a task, and the time that its network takes.
std::vector<std::string> UsualObjectives(const SearchSpec& spec);

}  // namespace hone
