#pragma once

#include <vector>

namespace hone {

// How much of the variance of some values one property of their trials
// explains, in a linear fit.
struct ExplainedVariance {
  // 0 to 1: R^2 of the fit, adjusted for its coefficients (Ezekiel 1930), and 0
  // where that is negative: on average 0 for a property that explains nothing.
  double share = 0;
  // Coefficients of the fit beside the constant.
  int coefficients = 0;
  // Whether there are ten values for each coefficient; the share is noise
  // without.
  bool reliable = false;
};

// Of a least-squares fit of the values by a constant and the features, of which
// there is a row for each value. Features that follow from those before them
// count for nothing. For a property with one choice in each trial, features
// that are 1 for that and 0 else give the eta^2 of group means, adjusted.
ExplainedVariance Explain(const std::vector<std::vector<double>>& features,
                          const std::vector<double>& values);

}  // namespace hone
