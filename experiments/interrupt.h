#pragma once

#include <atomic>

namespace hone {

// SIGINT and SIGTERM set a flag, so that work ends at the next safe point; a
// second signal ends the process at once with status 128 + signal.
void InstallInterruptHandlers();
const std::atomic<bool>& Interrupted();
// The signal that set the flag, or 0.
int InterruptSignal();

}  // namespace hone
