#pragma once

#include <string>
#include <utility>

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include "space/base/error.h"

namespace hone {

// Runs `body` as work of LibTorch: gives a new thread the process's setting of
// one intra-op thread, which LibTorch itself applies only on a thread's first
// parallel loop, and turns LibTorch's exceptions into Error{kInternal} that
// names the work.
template <typename Body>
auto AtTorchBoundary(const std::string& work, Body&& body) {
  try {
    at::init_num_threads();
    return std::forward<Body>(body)();
  } catch (const c10::Error& error) {
    throw Error(ErrorCode::kInternal,
                work + ": LibTorch refused: " + error.what_without_backtrace());
  }
}

}  // namespace hone
