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
// Of a share: "1.6 %", with two significant digits below 10 %.
std::string PercentText(double share);
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

// The first two objectives of trials of full fidelity drawn with characters:
// '*' on the front, '.' else. Empty when there are fewer than two objectives or
// complete trials.
std::string FrontPlot(const std::vector<Trial>& trials,
                      const std::vector<Trial>& front,
                      const std::vector<Objective>& objectives);

// A point of minimised values, each in the direction of its objective:
// "accuracy 0.7, latency_ms 2", and the same for programs.
std::string ReferenceText(const std::vector<Objective>& objectives,
                          const std::vector<double>& minimized);
Json ReferenceToJson(const std::vector<Objective>& objectives,
                     const std::vector<double>& minimized);

// What tables say of a block, in their order; "source" of an encoder-decoder
// alone.
struct Property {
  std::string name;
  std::string value;
};
std::vector<Property> BlockProperties(const BlockSpec& block,
                                      Topology topology);
// "Trial 7 of gloss: complete", a line.
std::string TrialHeading(const Trial& trial, const StudyInfo& study);
// Blocks, metrics, kernels and files of a trial.
std::string OutcomePage(const Trial& trial);
// The same with where it stands in its study (experiments/standing.h) and where
// it comes from.
std::string TrialPage(const Trial& trial, const StudyInfo& study,
                      const std::string& standing);

}  // namespace hone
