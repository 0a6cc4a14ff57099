#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace hone {

// Lists of choices, for search spaces.

template <typename T>
bool Has(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

template <typename T>
const T& Extreme(const std::vector<T>& values, bool largest) {
  return largest ? *std::max_element(values.begin(), values.end())
                 : *std::min_element(values.begin(), values.end());
}

// Every list of `length` elements of `choices`, in counting order with the
// first element fastest.
template <typename T, typename Visit>
void ForEachList(const std::vector<T>& choices, std::size_t length,
                 Visit visit) {
  std::vector<std::size_t> digits(length, 0);
  while (true) {
    std::vector<T> list;
    for (const std::size_t digit : digits) list.push_back(choices[digit]);
    visit(list);
    std::size_t place = 0;
    while (place < length && ++digits[place] == choices.size()) {
      digits[place++] = 0;
    }
    if (place == length) return;
  }
}

}  // namespace hone
