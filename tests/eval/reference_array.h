#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

namespace hone {

// Arrays of any rank in plain loops, for the reference network.

using Shape = std::vector<std::int64_t>;

inline std::int64_t Product(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

struct Array {
  Shape shape;
  std::vector<double> values;
};

inline std::size_t At(std::int64_t i) { return static_cast<std::size_t>(i); }
inline double Angle(std::int64_t place, std::int64_t i, std::int64_t dim) {
  return static_cast<double>(place) /
         std::pow(10000.0,
                  2.0 * static_cast<double>(i) / static_cast<double>(dim));
}
inline std::int64_t Flat(const Shape& shape, const Shape& place) {
  std::int64_t flat = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    flat = flat * shape[i] + place[i];
  }
  return flat;
}
// The element of x that stands for `place` of a larger array.
inline double Broadcasted(const Array& x, const Shape& place) {
  Shape own(place.end() - static_cast<std::ptrdiff_t>(x.shape.size()),
            place.end());
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (x.shape[i] == 1) own[i] = 0;
  }
  return x.values[At(Flat(x.shape, own))];
}
template <typename Element>
Array Made(const Shape& shape, Element element) {
  Array y{shape, {}};
  for (std::int64_t flat = 0; flat < Product(shape); ++flat) {
    Shape place(shape.size());
    std::int64_t rest = flat;
    for (std::size_t i = shape.size(); i-- > 0;) {
      place[i] = rest % shape[i];
      rest /= shape[i];
    }
    y.values.push_back(element(place));
  }
  return y;
}
template <typename F>
Array Each(const Array& x, F f) {
  Array y = x;
  for (double& v : y.values) v = f(v);
  return y;
}

}  // namespace hone
