#pragma once

#include <string>
#include <vector>

#include "experiments/study_comparison.h"
#include "space/base/json.h"

namespace hone {

// The algorithms that every search is held against (search/control_search.h).
const std::vector<std::string>& ControlAlgorithms();

// What a study's front is ahead of those of its controls: each is compared with
// the study (the first of the two). Text is empty without any.
std::string GainText(const std::vector<StudyComparison>& controls);
// [{"control", "trials", "hypervolume", "of_study", "gain", "coverage",
// "covered"}]; "gain" is the
// quotient, null where the control's is 0.
Json GainToJson(const std::vector<StudyComparison>& controls);

}  // namespace hone
