#include "experiments/trial_comparison.h"

#include <algorithm>
#include <sstream>

#include "experiments/report.h"

namespace hone {
namespace {

using Choice = TrialComparison::Choice;
using Value = TrialComparison::Value;

constexpr std::size_t kWidestCell = 26;

std::vector<Property> StemProperties(const StemSpec& stem) {
  return {
      {"d_model", std::to_string(stem.d_model)},
      {"positions", Name(stem.positions)},
      {"norm", Name(stem.norm) + ", " + Name(stem.norm_place)},
      {"output", Name(stem.output)},
      {"compute", Name(stem.compute)},
      {"embedding", Name(stem.embedding) +
                        (stem.embedding_rank > 0
                             ? ", rank " + std::to_string(stem.embedding_rank)
                             : "")}};
}

void AddChoices(const std::string& part, const std::vector<Property>& first,
                const std::vector<Property>& second,
                std::vector<Choice>& choices) {
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    choices.push_back({part, i < first.size() ? first[i].name : second[i].name,
                       i < first.size() ? first[i].value : "-",
                       i < second.size() ? second[i].value : "-"});
  }
}

// Both are of one study's space, so of one topology.
std::vector<Choice> ChoicesOf(const Architecture& first,
                              const Architecture& second) {
  std::vector<Choice> choices;
  AddChoices("stem", StemProperties(first.stem), StemProperties(second.stem),
             choices);
  const auto add_side = [&](const std::string& side,
                            const std::vector<BlockSpec>& a,
                            const std::vector<BlockSpec>& b) {
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
      const auto properties = [&](const std::vector<BlockSpec>& blocks) {
        return i < blocks.size() ? BlockProperties(blocks[i], TopologyOf(first))
                                 : std::vector<Property>();
      };
      AddChoices(side + "." + std::to_string(i), properties(a), properties(b),
                 choices);
    }
  };
  add_side("encoder", first.encoder, second.encoder);
  add_side("decoder", first.decoder, second.decoder);
  return choices;
}

std::optional<Metric> MetricOf(const Trial& trial, const std::string& name) {
  const auto* measurement = std::get_if<Measurement>(&trial.outcome);
  if (!measurement || !measurement->metrics.contains(name)) return std::nullopt;
  return measurement->metrics.at(name);
}

bool Overlap(const Metric& a, const Metric& b) {
  return a.low && a.high && b.low && b.high && *a.low <= *b.high &&
         *b.low <= *a.high;
}

Value ValueOf(const Trial& first, const Trial& second,
              const std::string& name) {
  Value value{name, MetricOf(first, name), MetricOf(second, name), {}};
  if (!value.first || !value.second) return value;
  if (value.first->value * value.second->value > 0) {
    value.ratio = value.second->value / value.first->value;
  }
  value.overlap = Overlap(*value.first, *value.second);
  return value;
}

std::string TrialLine(const Trial& trial) {
  std::string line = "Trial " + std::to_string(trial.number) + ": " +
                     std::string(Name(trial.fidelity)) + ", " +
                     Printable(trial.origin);
  if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
    line += "; failed, " + Printable(failure->code) + ": " +
            Printable(failure->reason);
  }
  return line + "\n";
}

Table ChoiceTable(const TrialComparison& comparison,
                  const std::vector<Table::Column>& trials) {
  Table table{{{""}, {"part"}, {"property"}}, {}};
  table.columns.insert(table.columns.end(), trials.begin(), trials.end());
  std::string part;
  for (const Choice& choice : comparison.choices) {
    table.AddRow({choice.Differs() ? "*" : "",
                  choice.part == part ? "" : choice.part, choice.property,
                  choice.first, choice.second});
    part = choice.part;
  }
  return table;
}

Table ValueTable(const TrialComparison& comparison,
                 const std::vector<Table::Column>& trials) {
  const std::string ratio = std::to_string(comparison.second.number) + " / " +
                            std::to_string(comparison.first.number);
  Table table{{{"metric"}, {ratio, true}}, {}};
  table.columns.insert(table.columns.end(), trials.begin(), trials.end());
  const auto text = [](const std::optional<Metric>& metric) {
    return metric ? MetricText(*metric) : "-";
  };
  for (const Value& value : comparison.values) {
    table.AddRow({value.metric,
                  value.ratio
                      ? (value.overlap ? "~" : "") + NumberText(*value.ratio)
                      : "-",
                  text(value.first), text(value.second)});
  }
  return table;
}

Json TrialJson(const Trial& trial) {
  Json json = {{"trial", trial.number},
               {"fidelity", Name(trial.fidelity)},
               {"origin", trial.origin},
               {"failure", nullptr}};
  if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
    json["failure"] = {{"code", failure->code}, {"reason", failure->reason}};
  }
  return json;
}

Json MetricJson(const std::optional<Metric>& metric) {
  if (!metric) return {};
  Json json = {{"value", metric->value}, {"unit", metric->unit}};
  if (metric->low) json["low"] = *metric->low;
  if (metric->high) json["high"] = *metric->high;
  return json;
}

}  // namespace

TrialComparison CompareTrials(const Trial& first, const Trial& second) {
  TrialComparison comparison{first, second, {}, {}};
  comparison.choices = ChoicesOf(first.architecture, second.architecture);
  for (const std::string& name : MetricsIn({first, second})) {
    comparison.values.push_back(ValueOf(first, second, name));
  }
  return comparison;
}

std::string ComparisonPage(const TrialComparison& comparison) {
  const auto column = [](const Trial& trial) {
    return Table::Column{"trial " + std::to_string(trial.number), false,
                         kWidestCell};
  };
  const std::vector<Table::Column> trials = {column(comparison.first),
                                             column(comparison.second)};
  std::ostringstream out;
  out << TrialLine(comparison.first) << TrialLine(comparison.second)
      << "\nWhat differs has a *\n"
      << ToText(ChoiceTable(comparison, trials));
  if (comparison.values.empty()) return out.str();
  out << "\nMetrics, 95 % intervals; ~: the intervals overlap\n"
      << ToText(ValueTable(comparison, trials));
  return out.str();
}

Json ToJson(const TrialComparison& comparison) {
  Json architecture = Json::array();
  for (const Choice& choice : comparison.choices) {
    architecture.push_back(
        {{"part", choice.part},
         {"property", choice.property},
         {"values", Json::array({choice.first, choice.second})},
         {"differs", choice.Differs()}});
  }
  Json metrics = Json::array();
  for (const Value& value : comparison.values) {
    metrics.push_back({{"metric", value.metric},
                       {"values", Json::array({MetricJson(value.first),
                                               MetricJson(value.second)})},
                       {"ratio", value.ratio ? Json(*value.ratio) : Json()},
                       {"intervals_overlap", value.overlap}});
  }
  return {{"trials", {comparison.first.number, comparison.second.number}},
          {"sides", Json::array({TrialJson(comparison.first),
                                 TrialJson(comparison.second)})},
          {"architecture", architecture},
          {"metrics", metrics}};
}

}  // namespace hone
