#include "experiments/sensitivity_report.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "experiments/metric_names.h"
#include "experiments/report.h"
#include "experiments/table.h"
#include "space/base/error.h"

namespace hone {
namespace {

// Metrics of quality, and whether a larger value is the better one.
const std::map<std::string, bool>& Qualities() {
  static const std::map<std::string, bool> kLargerIsBetter = {
      {"accuracy", true},
      {"macro_f1", true},
      {"bleu", true},
      {"nats_per_token", false},
      {"bits_per_token", false},
      {"perplexity", false},
      {"nats_per_character", false},
      {"bits_per_character", false}};
  return kLargerIsBetter;
}

double ValueOf(const Measurement& measurement, const std::string& metric) {
  return measurement.metrics.at(metric).value;
}

const Measurement* MeasurementOf(const BlockResult& result) {
  return std::get_if<Measurement>(&result.outcome);
}

double Difference(const Sensitivity& sensitivity, const Measurement& changed) {
  return ValueOf(changed, sensitivity.metric) -
         ValueOf(sensitivity.base, sensitivity.metric);
}

// Those that were measured, by kind and then by harm; the rest behind them.
std::vector<BlockResult> InOrder(const Sensitivity& sensitivity) {
  std::map<std::string, std::size_t> kinds;
  for (const BlockResult& result : sensitivity.results) {
    kinds.emplace(result.change, kinds.size());
  }
  const double sign = Qualities().at(sensitivity.metric) ? -1 : 1;
  const auto key = [&](const BlockResult& result) {
    const Measurement* measured = MeasurementOf(result);
    return std::tuple(
        measured == nullptr, kinds.at(result.change),
        measured ? sign * Difference(sensitivity, *measured) : 0.0);
  };
  std::vector<BlockResult> ordered = sensitivity.results;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [&](const BlockResult& a, const BlockResult& b) {
                     return key(a) < key(b);
                   });
  return ordered;
}

std::string EngineName(const Measurement& measurement) {
  const auto found = measurement.environment.find("engine");
  return found == measurement.environment.end() ? "unknown" : found->second;
}

std::string Signed(double value) {
  return (value > 0 ? "+" : "") + NumberText(value);
}

}  // namespace

std::string QualityMetric(const std::vector<Objective>& objectives,
                          const Measurement& measurement) {
  std::vector<std::string> candidates;
  for (const Objective& objective : objectives) {
    candidates.push_back(objective.metric);
  }
  candidates.insert(candidates.end(), MetricNames().begin(),
                    MetricNames().end());
  for (const std::string& name : candidates) {
    if (Qualities().contains(name) && measurement.metrics.contains(name)) {
      return name;
    }
  }
  throw Error(ErrorCode::kUsage,
              "the trial has no metric of quality; it needs one such as "
              "accuracy or nats_per_token");
}

std::string SensitivityPage(const Sensitivity& sensitivity) {
  Table table{{{"change"},
               {"block"},
               {"quality", true},
               {"difference", true},
               {"file_bytes", true},
               {"latency_ms", true}},
              {}};
  Table missing{{{"change"}, {"block"}, {"why not"}}, {}};
  const auto add = [&](const std::string& change, const std::string& block,
                       const Measurement& measured,
                       const std::string& difference) {
    table.AddRow({change, block,
                  NumberText(ValueOf(measured, sensitivity.metric)), difference,
                  NumberText(ValueOf(measured, "file_bytes")),
                  NumberText(ValueOf(measured, "latency_ms"))});
  };
  add("none", "-", sensitivity.base, "-");
  for (const BlockResult& result : InOrder(sensitivity)) {
    if (const Measurement* measured = MeasurementOf(result)) {
      add(result.change, result.block, *measured,
          Signed(Difference(sensitivity, *measured)));
    } else {
      missing.AddRow({result.change, result.block,
                      std::get<Failure>(result.outcome).reason});
    }
  }
  std::string page =
      "Trial " + std::to_string(sensitivity.trial) +
      " in f32, and one change of one block each, nothing trained.\nQuality: " +
      sensitivity.metric + " on the dev split, " +
      (Qualities().at(sensitivity.metric) ? "larger" : "smaller") +
      " is better.\nLatency: " + EngineName(sensitivity.base) + ".\n\n" +
      ToText(table);
  if (!missing.rows.empty()) page += "\nNot made:\n" + ToText(missing);
  return page;
}

Json ToJson(const Sensitivity& sensitivity) {
  const auto numbers = [&](const Measurement& measured) {
    const Metric& latency = measured.metrics.at("latency_ms");
    Json json = {{"quality", ValueOf(measured, sensitivity.metric)},
                 {"file_bytes", ValueOf(measured, "file_bytes")},
                 {"latency_ms", {{"value", latency.value}}}};
    if (latency.low) json["latency_ms"]["low"] = *latency.low;
    if (latency.high) json["latency_ms"]["high"] = *latency.high;
    return json;
  };
  Json changes = Json::array();
  for (const BlockResult& result : InOrder(sensitivity)) {
    Json one;
    if (const Measurement* measured = MeasurementOf(result)) {
      one = numbers(*measured);
      one["difference"] = Difference(sensitivity, *measured);
    } else {
      const auto& failure = std::get<Failure>(result.outcome);
      one["failure"] = {{"code", failure.code}, {"reason", failure.reason}};
    }
    one["change"] = result.change;
    one["block"] = result.block;
    changes.push_back(std::move(one));
  }
  const bool larger = Qualities().at(sensitivity.metric);
  return {{"trial", sensitivity.trial},
          {"quality",
           {{"metric", sensitivity.metric},
            {"better", larger ? "larger" : "smaller"}}},
          {"engine", EngineName(sensitivity.base)},
          {"base", numbers(sensitivity.base)},
          {"changes", std::move(changes)}};
}

}  // namespace hone
