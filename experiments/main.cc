// The program hone: looks at studies itself, and becomes hone-lab, which lies
// beside it, for everything else. To load LibTorch and OpenVINO takes longer
// than to read a study.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

#include <unistd.h>

#include "experiments/command.h"
#include "experiments/commands/commands.h"

namespace {

bool IsOwn(const hone::CommandGroup& group, const std::string& word) {
  if (word == "--version") return true;
  return std::any_of(
      group.commands.begin(), group.commands.end(),
      [&](const hone::Command& one) { return one.spec.name == word; });
}

// Returns where it fails alone.
int BecomeLab(char** argv) {
  std::error_code error;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    std::cerr << "hone: cannot tell where it lies: /proc/self/exe: "
              << error.message() << "\n";
    return hone::kExitResource;
  }
  const std::string lab = (own.parent_path() / "hone-lab").string();
  execv(lab.c_str(), argv);
  std::cerr << "hone: cannot run " << lab << ": " << std::strerror(errno)
            << "; hone needs it beside itself\n";
  return hone::kExitNothingFound;
}

}  // namespace

int main(int argc, char** argv) {
  const hone::CommandGroup group = hone::StudyCommands();
  if (argc < 2 || !IsOwn(group, argv[1])) return BecomeLab(argv);
  return hone::RunProgram({group}, argc, argv);
}
