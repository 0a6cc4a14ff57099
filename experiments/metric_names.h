#pragma once

#include <string>
#include <vector>

namespace hone {

// The metrics that a measurement may hold (eval/measurement.h), for checks of
// specs and for suggestions. The order is that of tables.
const std::vector<std::string>& MetricNames();

}  // namespace hone
