#pragma once

#include <cstddef>
#include <vector>

namespace hone {

// A choice for each block, by index, with its summed error and cost.
struct Assignment {
  std::vector<std::size_t> choices;
  double error = 0;
  double cost = 0;
  bool operator==(const Assignment&) const = default;
};

// All assignments that no other beats on both sums, cheapest first: the
// solutions of the knapsack problem for every budget, found block by block
// (Nemhauser & Ullmann 1969). `errors` and `costs` have a row for each block
// and a column for each choice.
std::vector<Assignment> BestAssignments(
    const std::vector<std::vector<double>>& errors,
    const std::vector<std::vector<double>>& costs);

// At most `count` of them that mix choices, at even steps of the list.
std::vector<Assignment> MixedAssignments(const std::vector<Assignment>& all,
                                         std::size_t count);

}  // namespace hone
