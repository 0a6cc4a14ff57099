#include "experiments/commands/commands.h"

namespace hone {

CommandGroup StudyCommands() {
  return {"Look at a study",
          {TrialsCommand(), ParetoCommand(), ReportCommand(), ShowCommand(),
           WhyCommand(), CompareCommand(), SpaceCommand()}};
}

}  // namespace hone
