#include "search/mixed_precision.h"

#include <algorithm>
#include <tuple>

#include "space/base/error.h"

namespace hone {
namespace {

// Of equal ones the first in order of choices stays.
std::vector<Assignment> NonDominated(std::vector<Assignment> all) {
  std::sort(all.begin(), all.end(),
            [](const Assignment& a, const Assignment& b) {
              return std::tie(a.cost, a.error, a.choices) <
                     std::tie(b.cost, b.error, b.choices);
            });
  std::vector<Assignment> kept;
  for (Assignment& one : all) {
    if (kept.empty() || one.error < kept.back().error) {
      kept.push_back(std::move(one));
    }
  }
  return kept;
}

}  // namespace

std::vector<Assignment> BestAssignments(
    const std::vector<std::vector<double>>& errors,
    const std::vector<std::vector<double>>& costs) {
  HONE_CHECK_EQ(errors.size(), costs.size());
  std::vector<Assignment> best{{}};
  for (std::size_t block = 0; block < errors.size(); ++block) {
    HONE_CHECK_EQ(errors[block].size(), costs[block].size());
    std::vector<Assignment> longer;
    for (const Assignment& one : best) {
      for (std::size_t i = 0; i < errors[block].size(); ++i) {
        Assignment next = one;
        next.choices.push_back(i);
        next.error += errors[block][i];
        next.cost += costs[block][i];
        longer.push_back(std::move(next));
      }
    }
    best = NonDominated(std::move(longer));
  }
  return best;
}

std::vector<Assignment> MixedAssignments(const std::vector<Assignment>& all,
                                         std::size_t count) {
  std::vector<Assignment> mixed;
  for (const Assignment& one : all) {
    const bool uniform =
        std::adjacent_find(one.choices.begin(), one.choices.end(),
                           std::not_equal_to<>()) == one.choices.end();
    if (!uniform) mixed.push_back(one);
  }
  if (mixed.size() <= count) return mixed;
  std::vector<Assignment> spread;
  for (std::size_t i = 0; i < count; ++i) {
    spread.push_back(mixed[(2 * i + 1) * mixed.size() / (2 * count)]);
  }
  return spread;
}

}  // namespace hone
