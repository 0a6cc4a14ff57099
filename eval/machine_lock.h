#pragma once

#include <filesystem>
#include <optional>

#include "space/base/file.h"

namespace hone {

// Keeps training off the machine while latency is measured, across processes.
// Two lock files in one folder: `busy` is held shared by those who train and
// exclusively by the one who measures; whoever measures first takes `gate`
// exclusively, at which trainers wait between steps, so that it gets its turn.

// Held while training. Not shared between threads; each has its own.
class TrainingPermit {
 public:
  explicit TrainingPermit(const std::filesystem::path& folder);
  // Between two steps: lets a waiting measurement go first.
  void Yield();

 private:
  void Enter();
  std::filesystem::path folder_;
  std::optional<FileLock> busy_;
};

// Held while measuring. Blocks until no one trains.
class MeasuringPermit {
 public:
  explicit MeasuringPermit(const std::filesystem::path& folder);

 private:
  FileLock gate_;
  FileLock busy_;
};

}  // namespace hone
