#include "experiments/report.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "experiments/metric_names.h"
#include "experiments/model_card.h"

namespace hone {
namespace {

const Measurement* MeasurementOf(const Trial& trial) {
  return std::get_if<Measurement>(&trial.outcome);
}

const Metric* FindMetric(const Trial& trial, const std::string& name) {
  const Measurement* measurement = MeasurementOf(trial);
  if (!measurement) return nullptr;
  const auto found = measurement->metrics.find(name);
  return found == measurement->metrics.end() ? nullptr : &found->second;
}

// Reads back as the same double.
std::string ExactText(double value) { return Json(value).dump(); }

std::string IntervalText(const Metric& metric) {
  if (!metric.low || !metric.high) return {};
  return " [" + NumberText(*metric.low) + ", " + NumberText(*metric.high) + "]";
}

std::string FailureText(const Trial& trial) {
  const auto& failure = std::get<Failure>(trial.outcome);
  return failure.code + ": " + failure.reason;
}

bool HasInterval(const std::vector<Trial>& trials, const std::string& name) {
  return std::any_of(trials.begin(), trials.end(), [&](const Trial& trial) {
    const Metric* metric = FindMetric(trial, name);
    return metric && metric->low && metric->high;
  });
}

double InOwnSign(const Objective& objective, double minimized) {
  return objective.direction == Direction::kMinimize ? minimized : -minimized;
}

}  // namespace

std::string NumberText(double value) {
  std::ostringstream out;
  if (value == std::floor(value) && std::abs(value) < 1e15) {
    out << static_cast<std::int64_t>(value);
  } else {
    out.precision(4);
    out << value;
  }
  return out.str();
}

std::string PercentText(double share) {
  std::ostringstream out;
  out.precision(std::abs(share) < 0.1 ? 2 : 3);
  out << 100 * share << " %";
  return out.str();
}

std::string MetricText(const Metric& metric) {
  return NumberText(metric.value) +
         (metric.unit == "1" || metric.unit.empty() ? "" : " " + metric.unit) +
         IntervalText(metric);
}

std::vector<std::string> MetricsIn(const std::vector<Trial>& trials) {
  std::set<std::string> present;
  for (const Trial& trial : trials) {
    if (const Measurement* measurement = MeasurementOf(trial)) {
      for (const auto& [name, metric] : measurement->metrics) {
        present.insert(name);
      }
    }
  }
  std::vector<std::string> names;
  for (const std::string& name : MetricNames()) {
    if (present.erase(name) > 0) names.push_back(name);
  }
  names.insert(names.end(), present.begin(), present.end());
  return names;
}

std::vector<Trial> InFrontOrder(std::vector<Trial> front,
                                const std::vector<Objective>& objectives) {
  std::stable_sort(front.begin(), front.end(),
                   [&](const Trial& a, const Trial& b) {
                     return MinimizedValues(a, objectives).back() <
                            MinimizedValues(b, objectives).back();
                   });
  return front;
}

Table SummaryTable(const std::vector<Trial>& trials,
                   const std::vector<Objective>& objectives,
                   bool with_intervals) {
  Table table;
  table.columns = {{"trial", true}};
  for (const Objective& objective : objectives) {
    table.columns.push_back({objective.metric, !with_intervals});
  }
  table.columns.push_back({"architecture", false});
  for (const Trial& trial : trials) {
    std::vector<std::string> cells = {std::to_string(trial.number)};
    for (const Objective& objective : objectives) {
      const Metric* metric = FindMetric(trial, objective.metric);
      cells.push_back(!metric ? "-"
                      : with_intervals
                          ? NumberText(metric->value) + IntervalText(*metric)
                          : NumberText(metric->value));
    }
    cells.push_back(trial.state() == TrialState::kFailed
                        ? "failed, " + FailureText(trial)
                        : ShortText(trial.architecture));
    table.AddRow(std::move(cells));
  }
  return table;
}

Table FullTable(const std::vector<Trial>& trials) {
  const std::vector<std::string> metrics = MetricsIn(trials);
  Table table;
  table.columns = {{"number"}, {"state"}, {"fidelity"}, {"origin"}};
  for (const std::string& name : metrics) {
    table.columns.push_back({name});
    if (!HasInterval(trials, name)) continue;
    table.columns.push_back({name + "_low"});
    table.columns.push_back({name + "_high"});
  }
  for (const char* name : {"architecture", "seed", "finished_at", "failure"}) {
    table.columns.push_back({name});
  }
  for (const Trial& trial : trials) {
    std::vector<std::string> cells = {
        std::to_string(trial.number), std::string(Name(trial.state())),
        std::string(Name(trial.fidelity)), trial.origin};
    for (const std::string& name : metrics) {
      const Metric* metric = FindMetric(trial, name);
      cells.push_back(metric ? ExactText(metric->value) : "");
      if (!HasInterval(trials, name)) continue;
      cells.push_back(metric && metric->low ? ExactText(*metric->low) : "");
      cells.push_back(metric && metric->high ? ExactText(*metric->high) : "");
    }
    cells.push_back(ShortText(trial.architecture));
    cells.push_back(std::to_string(trial.seed));
    cells.push_back(trial.finished_at);
    cells.push_back(trial.state() == TrialState::kFailed ? FailureText(trial)
                                                         : "");
    table.AddRow(std::move(cells));
  }
  return table;
}

Json TrialToJson(const Trial& trial) {
  Json json = ToJson(trial);
  // Text, because readers of JSON may lose digits above 2^53.
  json["seed"] = std::to_string(trial.seed);
  json["architecture_text"] = ShortText(trial.architecture);
  json["digest"] = TrialDigest(trial);
  return json;
}

Json TrialsToJson(const std::vector<Trial>& trials) {
  Json json = Json::array();
  for (const Trial& trial : trials) json.push_back(TrialToJson(trial));
  return json;
}

std::string ReferenceText(const std::vector<Objective>& objectives,
                          const std::vector<double>& minimized) {
  std::string text;
  for (std::size_t i = 0; i < minimized.size(); ++i) {
    if (i > 0) text += i == 2 ? ",\n  " : ", ";  // four would fill 80 columns
    text += objectives[i].metric + " " +
            NumberText(InOwnSign(objectives[i], minimized[i]));
  }
  return text;
}

Json ReferenceToJson(const std::vector<Objective>& objectives,
                     const std::vector<double>& minimized) {
  Json json = Json::object();
  for (std::size_t i = 0; i < minimized.size(); ++i) {
    json[objectives[i].metric] = InOwnSign(objectives[i], minimized[i]);
  }
  return json;
}

}  // namespace hone
