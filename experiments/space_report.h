#pragma once

#include <optional>
#include <string>
#include <vector>

#include "search/objective.h"
#include "search/trial.h"
#include "space/base/json.h"
#include "space/search_space.h"

namespace hone {

// Which searched dimensions moved the objectives of a study, so that a space in
// which most move nothing is seen.
//
// Each trial uses of each dimension one choice (d_model), or in each block one
// (heads): then its share of the blocks. What a dimension explains is the share
// of an objective's variance over trials that a linear fit on those shares
// explains (search/explained_variance.h): a main effect, without interactions.
// The trials of a search are no independent draws: dimensions that it moved
// together explain the same variance. Those of `random` are.
struct SpaceReport {
  struct Choice {
    std::string word;
    std::size_t trials = 0;  // that use it, in one block at least
    // The mean of each objective over trials, weighted by the choice's share.
    std::vector<std::optional<double>> means;
  };
  struct Dimension {
    std::string name;  // its key in [space]
    std::vector<Choice> choices;
    std::vector<double> shares;  // explained, of each objective
    bool varied = false;         // else all trials are alike in it
    bool reliable = false;       // enough trials to tell
    // The largest of the shares.
    double Most() const;
  };
  Fidelity fidelity = Fidelity::kTrained;
  std::size_t trials = 0;  // complete ones of that fidelity
  std::vector<Objective> objectives;
  std::vector<Dimension> dimensions;  // what explains most first
};

// Of the dimensions with more than one choice. Without a fidelity, of the one
// that most complete trials have. Throws Error{kNotFound} when no trial is
// complete.
SpaceReport ReportSpace(const std::vector<Trial>& trials,
                        const std::vector<Objective>& objectives,
                        const SearchSpaceOptions& space,
                        std::optional<Fidelity> fidelity);

std::string SpacePage(const SpaceReport& report);

// {"fidelity", "trials", "dimensions": [{"dimension", "explained":
// {"accuracy": 0.4, ...}, "varied", "reliable", "choices": [{"choice",
// "trials", "mean": {"accuracy": 0.7, ...}}]}]}
Json ToJson(const SpaceReport& report);

}  // namespace hone
