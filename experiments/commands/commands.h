#pragma once

#include "experiments/command.h"

namespace hone {

// Those that look at a study: without LibTorch and engines, so that they answer
// at once.
CommandGroup StudyCommands();

// One function for each command of the program; docs/cli.md describes them.
Command SearchCommand();
Command PlanCommand();
Command PredictCommand();
Command TrainCommand();
Command TrialsCommand();
Command ParetoCommand();
Command ShowCommand();
Command WhyCommand();
Command CompareCommand();
Command ReportCommand();
Command SpaceCommand();
Command ExportCommand();
Command CompressCommand();
Command SensitivityCommand();
Command EvalCommand();
Command ClassifyCommand();
Command GenerateCommand();
Command TranslateCommand();
Command BenchCommand();
Command InspectCommand();
Command RemeasureCommand();
Command RerunCommand();
Command DigestCommand();
Command DoctorCommand();
// Hidden: writes documents that are generated from the sources.
Command DocsCommand();

}  // namespace hone
