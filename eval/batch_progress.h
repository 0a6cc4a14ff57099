#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "eval/evaluator.h"

namespace hone {

// Adds up the fractions of stages that run side by side, and tells the
// callback, if there is one. Thread-safe.
class BatchProgress {
 public:
  BatchProgress(const ProgressCallback& callback, std::string phase,
                std::size_t parts)
      : callback_(callback), phase_(std::move(phase)), done_(parts, 0) {}

  void Set(std::size_t part, double fraction) {
    if (!callback_) return;
    const std::lock_guard<std::mutex> guard(mutex_);
    done_[part] = fraction;
    double sum = 0;
    for (const double one : done_) sum += one;
    callback_(phase_, sum, static_cast<double>(done_.size()));
  }

 private:
  const ProgressCallback& callback_;
  std::string phase_;
  std::mutex mutex_;
  std::vector<double> done_;
};

}  // namespace hone
