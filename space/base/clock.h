#pragma once

#include <chrono>

namespace hone {

// Milliseconds of the steady clock; only differences mean something.
inline double SteadyMs() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace hone
