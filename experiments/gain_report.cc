#include "experiments/gain_report.h"

#include "experiments/report.h"
#include "experiments/table.h"

namespace hone {
namespace {

std::string GainOf(const StudyComparison& comparison) {
  if (comparison.second.hypervolume == 0) return "-";
  return NumberText(comparison.first.hypervolume /
                    comparison.second.hypervolume) +
         " times";
}

}  // namespace

const std::vector<std::string>& ControlAlgorithms() {
  static const std::vector<std::string> names = {"random", "uniform-scaling"};
  return names;
}

std::string GainText(const std::vector<StudyComparison>& controls) {
  if (controls.empty()) return "";
  Table table{{{"control"},
               {"trials", true},
               {"hypervolume", true},
               {"this study", true},
               {"gain", true},
               {"covers", true},
               {"covered", true}},
              {}};
  for (const StudyComparison& one : controls) {
    table.AddRow({one.second.algorithm, std::to_string(one.second.trials),
                  NumberText(one.second.hypervolume),
                  NumberText(one.first.hypervolume), GainOf(one),
                  PercentText(one.first.coverage),
                  PercentText(one.second.coverage)});
  }
  return ToText(table);
}

Json GainToJson(const std::vector<StudyComparison>& controls) {
  Json json = Json::array();
  for (const StudyComparison& one : controls) {
    const double control = one.second.hypervolume;
    json.push_back(
        {{"control", one.second.algorithm},
         {"trials", one.second.trials},
         {"hypervolume", control},
         {"of_study", one.first.hypervolume},
         {"gain",
          control == 0 ? Json() : Json(one.first.hypervolume / control)},
         {"coverage", one.first.coverage},
         {"covered", one.second.coverage}});
  }
  return json;
}

}  // namespace hone
