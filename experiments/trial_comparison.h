#pragma once

#include <optional>
#include <string>
#include <vector>

#include "search/trial.h"
#include "space/base/json.h"

namespace hone {

// Two trials of one study, side by side.
struct TrialComparison {
  // "-" where a trial has no such block.
  struct Choice {
    std::string part;  // "stem", "encoder.0"
    std::string property;
    std::string first;
    std::string second;
    bool Differs() const { return first != second; }
  };
  struct Value {
    std::string metric;
    std::optional<Metric> first;
    std::optional<Metric> second;
    // Second to first, of two values of the same sign.
    std::optional<double> ratio;
    // Both have intervals, and those have values in common.
    bool overlap = false;
  };
  Trial first;
  Trial second;
  std::vector<Choice> choices;
  std::vector<Value> values;
};

TrialComparison CompareTrials(const Trial& first, const Trial& second);

// For people: what differs is marked "*", a ratio whose intervals overlap "~".
std::string ComparisonPage(const TrialComparison& comparison);

// {"trials": [3, 7], "architecture": [{"part", "property", "values": ["f32",
// "w4"], "differs"}], "metrics": [{"metric", "values": [{"value", "unit",
// "low", "high"}, ...], "ratio", "intervals_overlap"}]}; null for a metric that
// a trial lacks.
Json ToJson(const TrialComparison& comparison);

}  // namespace hone
