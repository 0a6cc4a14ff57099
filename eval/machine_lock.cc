#include "eval/machine_lock.h"

namespace hone {
namespace {

constexpr char kGate[] = "hone-gate.lock";
constexpr char kBusy[] = "hone-busy.lock";

}  // namespace

TrainingPermit::TrainingPermit(const std::filesystem::path& folder)
    : folder_(folder) {
  Enter();
}

void TrainingPermit::Enter() {
  const FileLock gate =
      FileLock::Acquire(folder_ / kGate, FileLock::Mode::kShared);
  busy_ = FileLock::Acquire(folder_ / kBusy, FileLock::Mode::kShared);
}

void TrainingPermit::Yield() {
  busy_.reset();
  Enter();
}

MeasuringPermit::MeasuringPermit(const std::filesystem::path& folder)
    : gate_(FileLock::Acquire(folder / kGate, FileLock::Mode::kExclusive)),
      busy_(FileLock::Acquire(folder / kBusy, FileLock::Mode::kExclusive)) {}

}  // namespace hone
