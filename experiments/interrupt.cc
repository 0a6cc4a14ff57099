#include "experiments/interrupt.h"

#include <signal.h>
#include <unistd.h>

namespace hone {
namespace {

std::atomic<bool> interrupted{false};
std::atomic<int> interrupt_signal{0};

extern "C" void OnSignal(int number) {
  if (interrupted.exchange(true)) _exit(128 + number);
  interrupt_signal = number;
}

}  // namespace

void InstallInterruptHandlers() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

const std::atomic<bool>& Interrupted() { return interrupted; }

int InterruptSignal() { return interrupt_signal; }

}  // namespace hone
