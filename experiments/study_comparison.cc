#include "experiments/study_comparison.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "experiments/report.h"
#include "search/front_scale.h"
#include "space/base/error.h"

namespace hone {
namespace {

using Side = StudyComparison::Side;

std::string ObjectiveText(const Objective& objective) {
  return std::string(Name(objective.direction)) + " " + objective.metric;
}

std::string ObjectiveTexts(const std::vector<Objective>& objectives) {
  std::string text;
  for (const Objective& objective : objectives) {
    text += (text.empty() ? "" : ", ") + ObjectiveText(objective);
  }
  return text;
}

std::string Fidelities(const std::vector<Trial>& trials) {
  std::set<std::string> names;
  for (const Trial& trial : trials) names.emplace(Name(trial.fidelity));
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

void CheckComparable(const ComparedStudy& a, const ComparedStudy& b) {
  const auto refuse = [&](const std::string& what, const std::string& first,
                          const std::string& second) {
    if (first == second) return;
    throw Error(ErrorCode::kUsage, "the studies have different " + what + ": " +
                                       a.name + " has " + first + "; " +
                                       b.name + " has " + second);
  };
  refuse("objectives", ObjectiveTexts(a.info.objectives),
         ObjectiveTexts(b.info.objectives));
  for (const ComparedStudy* study : {&a, &b}) {
    if (study->front.empty()) {
      throw Error(ErrorCode::kNotFound,
                  study->name + ": no trial is on its front");
    }
  }
  refuse("fidelities on their fronts", Fidelities(a.front),
         Fidelities(b.front));
}

std::vector<Point> PointsOf(const std::vector<Trial>& trials,
                            const std::vector<Objective>& objectives) {
  std::vector<Point> points;
  for (const Trial& trial : trials) {
    points.push_back(MinimizedValues(trial, objectives));
  }
  return points;
}

Side SideOf(const ComparedStudy& study) {
  Side side;
  side.name = study.name;
  side.algorithm = study.info.spec.value(
      Json::json_pointer("/search/algorithm"), std::string("unknown"));
  side.seed = static_cast<std::int64_t>(study.info.seed);
  side.trials = study.trials.size();
  side.failed = static_cast<std::size_t>(std::count_if(
      study.trials.begin(), study.trials.end(),
      [](const Trial& t) { return t.state() == TrialState::kFailed; }));
  side.front = study.front.size();
  return side;
}

// What of its front no point of the other dominates.
std::vector<Trial> Kept(const std::vector<Trial>& front,
                        const std::vector<Point>& points,
                        const std::vector<Point>& others) {
  std::vector<Trial> kept;
  for (std::size_t i = 0; i < front.size(); ++i) {
    if (std::none_of(others.begin(), others.end(), [&](const Point& other) {
          return Dominates(other, points[i]);
        })) {
      kept.push_back(front[i]);
    }
  }
  return kept;
}

Table SideTable(const StudyComparison& comparison) {
  Table table{{{""}, {"A", true}, {"B", true}}, {}};
  const auto add = [&](const std::string& title, auto text_of) {
    table.AddRow({title, text_of(comparison.first, comparison.second),
                  text_of(comparison.second, comparison.first)});
  };
  add("algorithm", [](const Side& s, const Side&) { return s.algorithm; });
  add("seed",
      [](const Side& s, const Side&) { return std::to_string(s.seed); });
  add("trials", [](const Side& s, const Side&) {
    return std::to_string(s.trials) +
           (s.failed > 0 ? ", " + std::to_string(s.failed) + " failed" : "");
  });
  add("on its front",
      [](const Side& s, const Side&) { return std::to_string(s.front); });
  add("hypervolume",
      [](const Side& s, const Side&) { return NumberText(s.hypervolume); });
  add("covers of the other's front",
      [](const Side& s, const Side&) { return PercentText(s.coverage); });
  add("on the front of both",
      [](const Side& s, const Side&) { return std::to_string(s.kept.size()); });
  return table;
}

Json ToJson(const Side& side) {
  return {{"study", side.name},
          {"algorithm", side.algorithm},
          {"seed", side.seed},
          {"trials", side.trials},
          {"failed", side.failed},
          {"front", side.front},
          {"hypervolume", side.hypervolume},
          {"coverage", side.coverage},
          {"kept", TrialsToJson(side.kept)}};
}

}  // namespace

StudyComparison CompareStudies(const ComparedStudy& first,
                               const ComparedStudy& second) {
  CheckComparable(first, second);
  StudyComparison comparison;
  comparison.objectives = first.info.objectives;
  const auto a = PointsOf(first.front, comparison.objectives);
  const auto b = PointsOf(second.front, comparison.objectives);
  std::vector<Point> both = a;
  both.insert(both.end(), b.begin(), b.end());
  const FrontScale scale(both);
  comparison.reference = scale.reference();
  comparison.first = SideOf(first);
  comparison.first.hypervolume = scale.Hypervolume(a);
  comparison.first.coverage = Coverage(a, b);
  comparison.first.kept = Kept(first.front, a, b);
  comparison.second = SideOf(second);
  comparison.second.hypervolume = scale.Hypervolume(b);
  comparison.second.coverage = Coverage(b, a);
  comparison.second.kept = Kept(second.front, b, a);
  comparison.differences = SpecDifferences(first.info.spec, second.info.spec);
  return comparison;
}

std::string ComparisonPage(const StudyComparison& comparison) {
  std::ostringstream out;
  out << "A: " << Printable(comparison.first.name)
      << "\nB: " << Printable(comparison.second.name) << "\n\n"
      << ToText(SideTable(comparison))
      << "\nHypervolume: share of the box from the best values on both fronts "
         "to\n  "
      << ReferenceText(comparison.objectives, comparison.reference)
      << ",\n  a tenth of the range beyond the worst.\n";
  if (!comparison.differences.empty()) {
    Table table{{{"the specs differ in"}, {"A", false, 24}, {"B"}}, {}};
    for (const SpecDifference& one : comparison.differences) {
      table.AddRow({one.field, one.first, one.second});
    }
    out << "\n" << ToText(table);
  }
  for (const Side* side : {&comparison.first, &comparison.second}) {
    const char* letter = side == &comparison.first ? "A" : "B";
    out << "\nOf " << letter << ", on the front of both\n";
    if (side->kept.empty()) {
      out << "none\n";
      continue;
    }
    out << ToText(SummaryTable(InFrontOrder(side->kept, comparison.objectives),
                               comparison.objectives, true));
  }
  return out.str();
}

Json ToJson(const StudyComparison& comparison) {
  Json objectives = Json::array();
  for (const Objective& objective : comparison.objectives) {
    objectives.push_back(ObjectiveText(objective));
  }
  Json differences = Json::array();
  for (const SpecDifference& one : comparison.differences) {
    differences.push_back(
        {{"field", one.field}, {"first", one.first}, {"second", one.second}});
  }
  return {{"objectives", objectives},
          {"reference",
           ReferenceToJson(comparison.objectives, comparison.reference)},
          {"studies",
           Json::array({ToJson(comparison.first), ToJson(comparison.second)})},
          {"differences", differences}};
}

}  // namespace hone
