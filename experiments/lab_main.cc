// The program hone-lab: every command.

#include <iostream>
#include <vector>

#include <unistd.h>

#include "experiments/command.h"
#include "experiments/commands/commands.h"
#include "experiments/interrupt.h"

namespace hone {
namespace {

std::vector<CommandGroup> Groups() {
  return {
      {"Search",
       {SearchCommand(), PlanCommand(), PredictCommand(), TrainCommand()}},
      StudyCommands(),
      {"Use what was found",
       {ExportCommand(), CompressCommand(), SensitivityCommand(), EvalCommand(),
        ClassifyCommand(), GenerateCommand(), TranslateCommand(),
        BenchCommand(), InspectCommand()}},
      {"Check",
       {RemeasureCommand(), RerunCommand(), DigestCommand(), DoctorCommand()}},
      {"", {DocsCommand()}}};
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  hone::InstallInterruptHandlers();
  const hone::CommandContext context{std::cout, std::cerr, std::cin,
                                     isatty(STDERR_FILENO) == 1,
                                     hone::Interrupted()};
  return hone::RunCommandLine(hone::Groups(), {argv + 1, argv + argc}, context);
}
