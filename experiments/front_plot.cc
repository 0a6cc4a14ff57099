#include <algorithm>
#include <iterator>

#include "experiments/plot.h"
#include "experiments/report.h"

namespace hone {
namespace {

// The first objective upwards, the second to the right.
std::vector<TextPlot::Point> PointsOf(
    const std::vector<Trial>& trials,
    const std::vector<Objective>& objectives) {
  std::vector<TextPlot::Point> points;
  for (const Trial& trial : trials) {
    const auto* measurement = std::get_if<Measurement>(&trial.outcome);
    if (!measurement) continue;
    const auto y = measurement->metrics.find(objectives[0].metric);
    const auto x = measurement->metrics.find(objectives[1].metric);
    if (x == measurement->metrics.end() || y == measurement->metrics.end()) {
      continue;
    }
    points.push_back({x->second.value, y->second.value});
  }
  return points;
}

}  // namespace

std::string FrontPlot(const std::vector<Trial>& trials,
                      const std::vector<Trial>& front,
                      const std::vector<Objective>& objectives) {
  if (objectives.size() < 2) return {};
  std::vector<Trial> full;
  std::copy_if(trials.begin(), trials.end(), std::back_inserter(full),
               [](const Trial& trial) { return IsFull(trial.fidelity); });
  const std::vector<TextPlot::Point> all = PointsOf(full, objectives);
  if (all.size() < 2) return {};
  return ToText({objectives[0].metric + "   (* on the front)",
                 objectives[1].metric,
                 {{all, '.'}, {PointsOf(front, objectives), '*'}}});
}

}  // namespace hone
