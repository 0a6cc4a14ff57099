#pragma once

#include <string>
#include <vector>

#include "experiments/table.h"
#include "search/objective.h"
#include "search/trial.h"
#include "search/trial_store.h"
#include "space/base/json.h"

namespace hone {

// What tables and programs are shown of trials. Everything here is a text made
// from values; nothing is printed.

// Four significant digits; integers whole.
std::string NumberText(double value);
// "0.797 ms [0.784, 0.812]": with unit, and interval where there is one.
std::string MetricText(const Metric& metric);

// The metrics that at least one trial has, in the order of MetricNames().
std::vector<std::string> MetricsIn(const std::vector<Trial>& trials);

// By the last objective, best first: a front then reads from one end to the
// other.
std::vector<Trial> InFrontOrder(std::vector<Trial> front,
                                const std::vector<Objective>& objectives);

// For people: number, the objectives (with intervals if asked for) and the
// architecture, or why the trial failed.
Table SummaryTable(const std::vector<Trial>& trials,
                   const std::vector<Objective>& objectives,
                   bool with_intervals);
// For programs: every metric, its interval where a trial has one, and the
// architecture.
Table FullTable(const std::vector<Trial>& trials);
Json TrialToJson(const Trial& trial);
Json TrialsToJson(const std::vector<Trial>& trials);

// The first two objectives drawn with characters: '*' on the front, '.' else.
// Empty when there are fewer than two objectives or complete trials.
std::string FrontPlot(const std::vector<Trial>& trials,
                      const std::vector<Trial>& front,
                      const std::vector<Objective>& objectives);

// A trial of the front that is at least as good everywhere and better
// somewhere, and by how much; positive where it is the better one.
struct Dominator {
  std::int64_t number = 0;
  std::vector<std::pair<std::string, double>> by;
};
// In the order of the front. Empty for a failed trial.
std::vector<Dominator> DominatorsOf(const Trial& trial,
                                    const std::vector<Trial>& front,
                                    const StudyInfo& study);

// Blocks, metrics, kernels and files of a trial.
std::string OutcomePage(const Trial& trial);
// The same with who dominates it and where it comes from.
std::string TrialPage(const Trial& trial, const StudyInfo& study,
                      const std::vector<Dominator>& dominators);
// [{"trial": 7, "by": {"latency_ms": 0.12, "accuracy": 0.003}}]
Json DominatorsToJson(const std::vector<Dominator>& dominators);

}  // namespace hone
