// The program hone-lab: every command.

#include <vector>

#include "experiments/command.h"
#include "experiments/commands/commands.h"

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
  return hone::RunProgram(hone::Groups(), argc, argv);
}
