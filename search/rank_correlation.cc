#include "search/rank_correlation.h"

#include <cmath>
#include <map>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::size_t kFewest = 3;

int Sign(double difference) { return (difference > 0) - (difference < 0); }

}  // namespace

double KendallTau(const std::vector<double>& x, const std::vector<double>& y) {
  HONE_CHECK_EQ(x.size(), y.size());
  double agreement = 0;
  double unequal_x = 0;
  double unequal_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const int in_x = Sign(x[i] - x[j]);
      const int in_y = Sign(y[i] - y[j]);
      agreement += in_x * in_y;
      unequal_x += in_x != 0;
      unequal_y += in_y != 0;
    }
  }
  const double scale = std::sqrt(unequal_x * unequal_y);
  return scale > 0 ? agreement / scale : 0;
}

std::vector<RungAgreement> RungAgreements(
    const std::vector<Trial>& trials,
    const std::vector<Objective>& objectives) {
  std::map<Fidelity, std::map<std::string, std::vector<double>>> values;
  for (const Trial& trial : trials) {
    if (trial.state() != TrialState::kComplete) continue;
    values[trial.fidelity][ArchitectureHash(trial.architecture)] =
        MinimizedValues(trial, objectives);
  }
  // By how much is spent; `cost` stands for the full fidelity of a simulation.
  std::vector<Fidelity> rungs;
  for (const Fidelity fidelity : {Fidelity::kInherited, Fidelity::kShort,
                                  Fidelity::kCost, Fidelity::kTrained}) {
    if (values.contains(fidelity)) rungs.push_back(fidelity);
  }
  std::vector<RungAgreement> agreements;
  for (std::size_t low = 0; low < rungs.size(); ++low) {
    for (std::size_t high = low + 1; high < rungs.size(); ++high) {
      for (std::size_t k = 0; k < objectives.size(); ++k) {
        std::vector<double> x;
        std::vector<double> y;
        for (const auto& [hash, lower] : values[rungs[low]]) {
          const auto found = values[rungs[high]].find(hash);
          if (found == values[rungs[high]].end()) continue;
          x.push_back(lower[k]);
          y.push_back(found->second[k]);
        }
        if (x.size() < kFewest) continue;
        agreements.push_back({rungs[low], rungs[high], objectives[k].metric,
                              static_cast<std::int64_t>(x.size()),
                              KendallTau(x, y)});
      }
    }
  }
  return agreements;
}

}  // namespace hone
