#pragma once

#include <atomic>
#include <functional>
#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "experiments/arguments.h"

namespace hone {

// Exit statuses of the program (docs/cli.md). Errors map by their code.
enum ExitCode {
  kExitDone = 0,
  kExitInternal = 1,
  kExitUsage = 2,
  kExitSomeFailed = 3,
  kExitNothingFound = 4,
  kExitIntegrity = 5,
  kExitResource = 6,
  kExitLocked = 75,
  kExitInterrupted = 130,
};

// What a command runs with: data goes to `out`, messages for people to `err`.
struct CommandContext {
  std::ostream& out;
  std::ostream& err;
  std::istream& in;
  bool err_is_terminal = false;
  const std::atomic<bool>& cancelled;
};

struct Command {
  CommandSpec spec;
  std::function<int(const Arguments&, const CommandContext&)> run;
};

// Commands under one title of the overview; without a title they are hidden.
struct CommandGroup {
  std::string title;
  std::vector<Command> commands;
};

// Runs one command line (without the program's name) of these commands; never
// throws.
int RunCommandLine(const std::vector<CommandGroup>& groups,
                   const std::vector<std::string>& words,
                   const CommandContext& context);

// The same for main(): with handlers of interruptions, on the standard streams.
int RunProgram(const std::vector<CommandGroup>& groups, int argc, char** argv);

// Written into studies and cards.
std::string ProgramVersion();

}  // namespace hone
