#include "eval/machine_lock.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "space/base/file.h"

namespace hone {
namespace {

// Trainers yield without pause while a measurement asks for the machine; were
// the gate missing, the shared holders would starve it for ever.
TEST(MachineLock, MeasuringGetsItsTurnAndIsAlone) {
  const ScratchFolder folder;
  std::atomic<bool> stop = false;
  std::atomic<int> steps = 0;
  std::atomic<bool> measuring = false;
  std::atomic<int> intrusions = 0;
  const auto train = [&] {
    TrainingPermit permit(folder.path());
    while (!stop) {
      if (measuring) ++intrusions;
      ++steps;
      permit.Yield();
    }
  };
  std::thread one(train), two(train);
  for (int i = 0; i < 20; ++i) {
    while (steps < i) std::this_thread::yield();
    const MeasuringPermit permit(folder.path());
    measuring = true;
    for (int spin = 0; spin < 1000; ++spin) std::this_thread::yield();
    measuring = false;
  }
  stop = true;
  one.join();
  two.join();
  EXPECT_EQ(intrusions, 0);
}

}  // namespace
}  // namespace hone
