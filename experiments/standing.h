#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "search/trial.h"
#include "search/trial_store.h"
#include "space/base/json.h"

namespace hone {

// Another trial beside one, objective by objective.
struct Rival {
  struct Difference {
    std::string metric;
    double amount = 0;  // positive where the other trial is the better one
    // Of the trial's own value; empty where that is 0.
    std::optional<double> share = std::nullopt;
  };
  std::int64_t number = 0;
  std::string architecture;  // ShortText
  std::vector<Difference> by;
};

// A constraint of the study that a trial breaks.
struct Excess {
  Constraint constraint;
  double value = 0;          // as it is held to the bound (ConstrainedValue)
  bool of_interval = false;  // the end of its interval, and not the metric
};

// Why a trial is on its study's front, or why not. Of these at most one is not
// empty, and none for a trial that was not compared with the front.
struct Standing {
  std::optional<Failure> failure;
  std::vector<Excess> broken;
  std::vector<Rival> dominators;  // trials of the front, in its order
  bool on_front = false;
  std::optional<Fidelity> estimate;  // where it is not full
  // Where it is on the front: for each objective the trial of the front that is
  // next better in it, each named once; none for an objective that the trial is
  // the best in.
  std::vector<Rival> neighbours;
};

Standing StandingOf(const Trial& trial, const std::vector<Trial>& front,
                    const StudyInfo& study);

// One sentence: "Not on the front: 2 trials of it dominate this one." Empty for
// a failed trial.
std::string StandingLine(const Standing& standing);
// The whole answer for people.
std::string StandingPage(const Trial& trial, const Standing& standing,
                         const StudyInfo& study);

// {"on_front", "dominated_by": [{"trial", "by": {"latency_ms": 0.12},
// "share": {"latency_ms": 0.3}}], "neighbours": [the same], "breaks":
// [{"constraint": "latency_ms <= 2", "value"}]}, and "failure" with code and
// reason of a failed trial.
Json ToJson(const Standing& standing);

}  // namespace hone
