#include "experiments/command.h"

#include <iostream>
#include <new>

#include <unistd.h>

#include "experiments/interrupt.h"
#include "space/base/error.h"

namespace hone {
namespace {

std::string Overview(const std::vector<CommandGroup>& groups) {
  std::string text =
      "hone finds Transformers that nobody beats on both quality and speed,\n"
      "for your data and your machine: it proposes architectures, trains,\n"
      "quantizes and exports them, and measures the exported files.\n"
      "\nUsage: hone COMMAND ...\n";
  for (const CommandGroup& group : groups) {
    if (group.title.empty()) continue;
    text += "\n" + group.title + "\n";
    for (const Command& command : group.commands) {
      std::string line = "  " + command.spec.name;
      line.resize(15, ' ');
      text += line + command.spec.summary + "\n";
    }
  }
  return text +
         "\nStart with:\n"
         "  hone search experiments/specs/simulated.toml   a search in "
         "seconds\n"
         "  hone pareto studies/simulated.db               its best "
         "trade-offs\n"
         "\n'hone COMMAND --help' explains one command; 'hone --version'.\n";
}

int ExitCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal:
      return kExitInternal;
    case ErrorCode::kUsage:
      return kExitUsage;
    case ErrorCode::kNotFound:
      return kExitNothingFound;
    case ErrorCode::kIntegrity:
      return kExitIntegrity;
    case ErrorCode::kResource:
      return kExitResource;
    case ErrorCode::kLocked:
      return kExitLocked;
    case ErrorCode::kCancelled:
      return InterruptSignal() == 0 ? kExitInterrupted
                                    : 128 + InterruptSignal();
  }
  return kExitInternal;
}

const Command& FindCommand(const std::vector<CommandGroup>& groups,
                           const std::string& name) {
  std::vector<std::string> names;
  for (const CommandGroup& group : groups) {
    for (const Command& command : group.commands) {
      if (command.spec.name == name) return command;
      if (!group.title.empty()) names.push_back(command.spec.name);
    }
  }
  throw Error(ErrorCode::kUsage, "unknown command '" + name + "'" +
                                     DidYouMean(name, names) +
                                     "\nTry 'hone --help'.");
}

bool AsksForHelp(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") return false;
    if (word == "--help" || word == "-h") return true;
  }
  return false;
}

int Dispatch(const std::vector<CommandGroup>& groups,
             std::vector<std::string> words, const CommandContext& context) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" ||
      words == std::vector<std::string>{"help"}) {
    context.out << Overview(groups);
    return kExitDone;
  }
  if (words[0] == "--version") {
    context.out << "hone " << ProgramVersion() << "\n";
    return kExitDone;
  }
  if (words[0] == "help") words = {words[1], "--help"};
  const Command& command = FindCommand(groups, words[0]);
  words.erase(words.begin());
  if (AsksForHelp(words)) {
    context.out << CommandHelp(command.spec);
    return kExitDone;
  }
  return command.run(ParseArguments(command.spec, words), context);
}

}  // namespace

int RunCommandLine(const std::vector<CommandGroup>& groups,
                   const std::vector<std::string>& words,
                   const CommandContext& context) {
  int status = kExitInternal;
  try {
    status = Dispatch(groups, words, context);
    context.out.flush();
    if (!context.out) {
      throw Error(ErrorCode::kResource, "the output cannot be written");
    }
  } catch (const Error& error) {
    context.out.flush();
    context.err << "hone: " << error.what() << "\n";
    status = ExitCodeOf(error.code());
  } catch (const std::bad_alloc&) {
    context.err << "hone: out of memory\n";
    status = kExitResource;
  } catch (const std::exception& error) {
    context.err << "hone: internal error: " << error.what() << "\n";
  }
  return status;
}

int RunProgram(const std::vector<CommandGroup>& groups, int argc, char** argv) {
  InstallInterruptHandlers();
  const CommandContext context{std::cout, std::cerr, std::cin,
                               isatty(STDERR_FILENO) == 1, Interrupted()};
  return RunCommandLine(groups, {argv + 1, argv + argc}, context);
}

std::string ProgramVersion() { return HONE_VERSION; }

}  // namespace hone
