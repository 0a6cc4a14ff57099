#include "experiments/rungs_report.h"

#include <map>

#include "experiments/report.h"
#include "search/rank_correlation.h"

namespace hone {
namespace {

std::map<Fidelity, std::int64_t> CountsOf(const std::vector<Trial>& trials) {
  std::map<Fidelity, std::int64_t> counts;
  for (const Trial& trial : trials) ++counts[trial.fidelity];
  return counts;
}

}  // namespace

std::string RungsText(const std::vector<Trial>& trials,
                      const std::vector<Objective>& objectives) {
  const std::map<Fidelity, std::int64_t> counts = CountsOf(trials);
  if (counts.size() < 2) return {};
  std::string text;
  for (const auto& [fidelity, count] : counts) {
    text += (text.empty() ? "Rungs: " : ", ") + std::to_string(count) + " " +
            std::string(Name(fidelity));
  }
  Table table{{{"rung"}, {"against"}, {"ranks"}, {"tau", true}, {"of", true}},
              {}};
  for (const RungAgreement& one : RungAgreements(trials, objectives)) {
    table.AddRow({std::string(Name(one.lower)), std::string(Name(one.higher)),
                  one.metric, NumberText(one.tau),
                  std::to_string(one.architectures)});
  }
  return text + "\n" + (table.rows.empty() ? "" : ToText(table));
}

Json FidelitiesToJson(const std::vector<Trial>& trials) {
  Json json = Json::object();
  for (const auto& [fidelity, count] : CountsOf(trials)) {
    json[std::string(Name(fidelity))] = count;
  }
  return json;
}

Json RungsToJson(const std::vector<Trial>& trials,
                 const std::vector<Objective>& objectives) {
  Json json = Json::array();
  for (const RungAgreement& one : RungAgreements(trials, objectives)) {
    json.push_back({{"lower", Name(one.lower)},
                    {"higher", Name(one.higher)},
                    {"metric", one.metric},
                    {"architectures", one.architectures},
                    {"tau", one.tau}});
  }
  return json;
}

}  // namespace hone
