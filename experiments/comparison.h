#pragma once

#include <string>
#include <vector>

#include "experiments/study_view.h"
#include "space/base/json.h"

namespace hone {

// The fronts of two studies in the same objectives.
struct FrontComparison {
  struct Side {
    std::size_t trials = 0;
    std::size_t front = 0;
    // The volume that the front dominates, each objective scaled so that both
    // fronts together span [0, 1], up to 1.1 in each; divided by that box.
    double hypervolume = 0;
    // The share of the other front that this one dominates or equals (Zitzler &
    // Thiele 1999, C metric).
    double coverage = 0;
    std::vector<double> best;  // of each objective
  };
  std::vector<std::string> metrics;
  Side a;
  Side b;
};

// Throws Error{kUsage} when the objectives differ, Error{kNotFound} when a
// study has no front.
FrontComparison CompareFronts(const StudyView& a, const StudyView& b);
std::string ToText(const FrontComparison& comparison);
Json ToJson(const FrontComparison& comparison);

// What two trials of a study differ in, block by block and metric by metric.
std::string CompareTrialsText(const Trial& a, const Trial& b);
// {"metrics": {NAME: {"a": 1, "b": 2, "ratio": 2}}, "architectures": {...}}
Json CompareTrialsJson(const Trial& a, const Trial& b);

}  // namespace hone
