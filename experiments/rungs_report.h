#pragma once

#include <string>
#include <vector>

#include "search/objective.h"
#include "search/trial.h"
#include "space/base/json.h"

namespace hone {

// How many trials each fidelity has, and how well it ranks what a dearer one
// measured as well (Kendall's tau). Empty where all have the same.
std::string RungsText(const std::vector<Trial>& trials,
                      const std::vector<Objective>& objectives);
// Trials of each fidelity: {"inherited": 40, "trained": 8}.
Json FidelitiesToJson(const std::vector<Trial>& trials);
// [{"lower", "higher", "metric", "architectures", "tau"}]
Json RungsToJson(const std::vector<Trial>& trials,
                 const std::vector<Objective>& objectives);

}  // namespace hone
