#include <iostream>

#include <unistd.h>

#include "experiments/command.h"
#include "experiments/interrupt.h"

int main(int argc, char** argv) {
  hone::InstallInterruptHandlers();
  const hone::CommandContext context{std::cout, std::cerr, std::cin,
                                     isatty(STDERR_FILENO) == 1,
                                     hone::Interrupted()};
  return hone::RunCommandLine({argv + 1, argv + argc}, context);
}
