#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hone {

// An option that a command knows; a flag when `value_name` is empty.
struct OptionSpec {
  std::string name;
  std::string value_name;
  std::string help;
};

// What a command takes, for parsing and for its help.
struct CommandSpec {
  std::string name;
  std::string summary;      // one line
  std::string positionals;  // "STUDY N", as the help shows them
  int min_positionals = 0;
  int max_positionals = 0;  // < 0: any number
  std::vector<OptionSpec> options;
  std::string example;
};

// Values of the command line. Repeated options keep every value.
class Arguments {
 public:
  std::vector<std::string> positionals;
  std::map<std::string, std::vector<std::string>> options;

  bool Has(const std::string& name) const { return options.contains(name); }
  // The last value given, or `fallback`.
  std::string Text(const std::string& name, const std::string& fallback) const;
  // Throws Error{kUsage} unless the value is an integer in low..high.
  std::int64_t Integer(const std::string& name, std::int64_t fallback,
                       std::int64_t low, std::int64_t high) const;
  // The same for a real number.
  double Real(const std::string& name, double fallback, double low,
              double high) const;
  std::vector<std::string> All(const std::string& name) const;
  // The same check for a positional, named `what` in messages.
  std::int64_t PositionalInteger(std::size_t index,
                                 const std::string& what) const;
};

// Throws Error{kUsage}: unknown option (with a suggestion), missing value, too
// few or too many positionals. After "--" everything is positional.
Arguments ParseArguments(const CommandSpec& command,
                         const std::vector<std::string>& words);

// The text of `hone COMMAND --help`.
std::string CommandHelp(const CommandSpec& command);

}  // namespace hone
