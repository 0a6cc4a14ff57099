#include <gtest/gtest.h>

#include "train/trainer.h"

namespace hone {
namespace {

// LibTorch's threads would wait for each other in loops, and tests that run
// side by side take hours where one thread each takes seconds.
class TorchEnvironment : public ::testing::Environment {
 public:
  void SetUp() override { InitializeTorch(); }
};

const auto* const kTorchEnvironment =
    ::testing::AddGlobalTestEnvironment(new TorchEnvironment);

}  // namespace
}  // namespace hone
