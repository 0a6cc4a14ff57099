#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "eval/decode/step_model.h"

namespace hone {

// Truncate for what cannot forget, as the sums of linear attention: every row
// goes back to before the last Extend, to before[row] tokens, and reads again
// what it keeps of that call's `tokens`. `row_before(i)`: a batch of row i
// alone as it was then. Returns all rows in order.
template <typename RowBefore>
std::unique_ptr<DecodeBatch> ReadAgain(const std::vector<std::int64_t>& before,
                                       const std::vector<std::int64_t>& lengths,
                                       const std::vector<std::int64_t>& tokens,
                                       RowBefore row_before) {
  const std::size_t count = tokens.size() / lengths.size();
  std::unique_ptr<DecodeBatch> all;
  for (std::size_t row = 0; row < lengths.size(); ++row) {
    std::unique_ptr<DecodeBatch> one = row_before(row);
    const std::int64_t kept = lengths[row] - before[row];
    const auto first =
        tokens.begin() + static_cast<std::ptrdiff_t>(row * count);
    if (kept > 0) one->Extend({first, first + kept}, kept);
    if (all) {
      all->Append(std::move(one));
    } else {
      all = std::move(one);
    }
  }
  return all;
}

}  // namespace hone
