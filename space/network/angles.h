#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace hone {

// Appends sin(place / 10000^(2i/dim)) for i < dim/2, then the cosines: one row
// of the table of sinusoidal positions, and what rotary positions turn by
// (Vaswani et al. 2017, 3.5; Su et al. 2021, eq. 15). An odd dim has one more
// cosine.
inline void AppendAngles(std::int64_t place, std::int64_t dim,
                         std::vector<float>& values) {
  const auto angle = [&](std::int64_t i) {
    return static_cast<double>(place) /
           std::pow(10000.,
                    2. * static_cast<double>(i) / static_cast<double>(dim));
  };
  const std::int64_t half = dim / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    values.push_back(static_cast<float>(std::sin(angle(i))));
  }
  for (std::int64_t i = 0; i < dim - half; ++i) {
    values.push_back(static_cast<float>(std::cos(angle(i))));
  }
}

}  // namespace hone
