#pragma once

#include <string>
#include <vector>

#include "search/objective.h"
#include "search/trial.h"

namespace hone {

// Kendall's tau-b of pairs (x, y): (concordant - discordant) / sqrt((n - ties
// in x) (n - ties in y)) over the n pairs of pairs (Kendall 1945). 0 where one
// of them is constant. Requires: equal lengths.
double KendallTau(const std::vector<double>& x, const std::vector<double>& y);

// How well a cheaper fidelity ranks what a dearer one measured as well.
struct RungAgreement {
  Fidelity lower = Fidelity::kInherited;
  Fidelity higher = Fidelity::kTrained;
  std::string metric;
  std::int64_t architectures = 0;  // complete at both
  double tau = 0;
};
// For each pair of fidelities among the trials and each objective, where at
// least three architectures are complete at both.
std::vector<RungAgreement> RungAgreements(
    const std::vector<Trial>& trials, const std::vector<Objective>& objectives);

}  // namespace hone
