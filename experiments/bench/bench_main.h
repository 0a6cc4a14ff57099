#pragma once

#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// Runs a benchmark with its arguments; an error becomes one line and status 1.
inline int RunBenchmark(std::string_view name,
                        int (*benchmark)(const std::vector<std::string>&),
                        int argc, char** argv) {
  try {
    return benchmark({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << "\n";
    return 1;
  }
}

}  // namespace hone
