#include "search/explained_variance.h"

#include <algorithm>
#include <numeric>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr double kValuesPerCoefficient = 10;
// Of its squares, what a feature must keep to be no copy of those before it.
constexpr double kIndependent = 1e-9;
// What squares of equal values may differ by, as a share.
constexpr double kRounding = 1e-24;

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<double> Centred(std::vector<double> values) {
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) /
                      static_cast<double>(values.size());
  for (double& value : values) value -= mean;
  return values;
}

// Takes the part along `direction` away. Returns what it had in squares.
double Project(const std::vector<double>& direction,
               std::vector<double>& values) {
  const double length = Dot(direction, direction);
  const double along = Dot(direction, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] -= along / length * direction[i];
  }
  return along * along / length;
}

}  // namespace

// Gram-Schmidt: what each feature adds is along its part that is at right
// angles to those before it.
ExplainedVariance Explain(const std::vector<std::vector<double>>& features,
                          const std::vector<double>& values) {
  HONE_CHECK_EQ(features.size(), values.size());
  ExplainedVariance explained;
  if (values.empty()) return explained;
  std::vector<double> rest = Centred(values);
  const double total = Dot(rest, rest);
  double fitted = 0;
  std::vector<std::vector<double>> directions;
  for (std::size_t column = 0; column < features[0].size(); ++column) {
    std::vector<double> raw;
    for (const auto& row : features) raw.push_back(row.at(column));
    std::vector<double> feature = Centred(raw);
    const double before = Dot(feature, feature);
    if (before <= kRounding * Dot(raw, raw)) continue;
    for (const auto& direction : directions) Project(direction, feature);
    if (Dot(feature, feature) <= kIndependent * before) continue;
    fitted += Project(feature, rest);
    directions.push_back(std::move(feature));
  }
  explained.coefficients = static_cast<int>(directions.size());
  const auto count = static_cast<double>(values.size());
  const double freedom = count - 1 - explained.coefficients;
  explained.reliable =
      count >= kValuesPerCoefficient * std::max(1, explained.coefficients);
  const bool varies = total > kRounding * Dot(values, values);
  if (varies && freedom > 0) {
    explained.share =
        std::max(0.0, 1 - (1 - fitted / total) * (count - 1) / freedom);
  }
  return explained;
}

}  // namespace hone
