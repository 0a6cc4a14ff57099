#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/search_spec.h"
#include "search/trial.h"
#include "search/trial_store.h"
#include "space/base/json.h"

namespace hone {

// A study as it is compared: its row, all its trials and its front.
struct ComparedStudy {
  std::string name;  // as the command line calls it
  StudyInfo info;
  std::vector<Trial> trials;
  std::vector<Trial> front;
};

// Two studies by their fronts.
struct StudyComparison {
  // Of one of the two.
  struct Side {
    std::string name;
    std::string algorithm;
    std::int64_t seed = 0;
    std::size_t trials = 0;
    std::size_t failed = 0;
    std::size_t front = 0;
    // On the one scale of both fronts together (search/front_scale.h).
    double hypervolume = 0;
    // Of the other's front, the share that this one covers (Coverage).
    double coverage = 0;
    // Its trials that are on the front of both together.
    std::vector<Trial> kept;
  };
  std::vector<Objective> objectives;
  std::vector<double> reference;  // in the objectives' units
  Side first;
  Side second;
  std::vector<SpecDifference> differences;
};

// Throws Error{kUsage} when the objectives or the fidelity of the fronts
// differ, Error{kNotFound} when a front is empty.
StudyComparison CompareStudies(const ComparedStudy& first,
                               const ComparedStudy& second);

std::string ComparisonPage(const StudyComparison& comparison);

// {"objectives": ["maximize accuracy", ...], "reference": {"accuracy": 0.7,
// ...}, "studies": [{"study", "algorithm", "seed", "trials", "failed", "front",
// "hypervolume", "coverage", "kept": [trials]}, ...], "differences":
// [{"field", "first", "second"}]}
Json ToJson(const StudyComparison& comparison);

}  // namespace hone
