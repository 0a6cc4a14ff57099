#include "experiments/arguments.h"

// A comma inside a value or a text is no separator.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#include <charconv>
#include <sstream>

#include <cxxopts.hpp>

#include "space/base/error.h"

namespace hone {
namespace {

using Words = std::vector<std::string>;

[[noreturn]] void Refuse(const CommandSpec& command, const std::string& what) {
  throw Error(ErrorCode::kUsage, "hone " + command.name + ": " + what +
                                     "\nTry 'hone " + command.name +
                                     " --help'.");
}

std::int64_t ParseInteger(const std::string& text, const std::string& what,
                          std::int64_t low, std::int64_t high) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < low ||
      value > high) {
    throw Error(ErrorCode::kUsage,
                what + ": '" + text + "' is no integer from " +
                    std::to_string(low) + " to " + std::to_string(high));
  }
  return value;
}

// cxxopts names an unknown option but knows no neighbours.
void CheckOptionNames(const CommandSpec& command, const Words& words) {
  Words known = {"--help"};
  for (const OptionSpec& option : command.options) {
    known.push_back("--" + option.name);
  }
  for (const std::string& word : words) {
    if (word == "--") return;
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(0, word.find('='));
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      Refuse(command,
             "unknown option '" + name + "'" + DidYouMean(name, known));
    }
  }
}

cxxopts::Options MakeOptions(const CommandSpec& command) {
  cxxopts::Options options("hone " + command.name, command.summary);
  options.custom_help(command.positionals +
                      (command.positionals.empty() ? "" : " ") + "[options]");
  auto add = options.add_options();
  for (const OptionSpec& option : command.options) {
    if (option.value_name.empty()) {
      add(option.name, option.help);
    } else {
      add(option.name, option.help, cxxopts::value<Words>(), option.value_name);
    }
  }
  add("h,help", "show this help");
  return options;
}

Arguments Collect(const CommandSpec& command,
                  const cxxopts::ParseResult& result) {
  Arguments arguments;
  for (const OptionSpec& option : command.options) {
    if (result.count(option.name) == 0) continue;
    arguments.options[option.name] = option.value_name.empty()
                                         ? Words{"true"}
                                         : result[option.name].as<Words>();
  }
  if (result.count("positionals") > 0) {
    arguments.positionals = result["positionals"].as<Words>();
  }
  return arguments;
}

}  // namespace

std::string Arguments::Text(const std::string& name,
                            const std::string& fallback) const {
  const auto found = options.find(name);
  return found == options.end() ? fallback : found->second.back();
}

std::int64_t Arguments::Integer(const std::string& name, std::int64_t fallback,
                                std::int64_t low, std::int64_t high) const {
  return Has(name) ? ParseInteger(Text(name, ""), "--" + name, low, high)
                   : fallback;
}

double Arguments::Real(const std::string& name, double fallback, double low,
                       double high) const {
  if (!Has(name)) return fallback;
  const std::string text = Text(name, "");
  double value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec == std::errc() && parsed.ptr == end && value >= low &&
      value <= high) {
    return value;
  }
  std::ostringstream what;
  what << "--" << name << ": '" << text << "' is no number from " << low
       << " to " << high;
  throw Error(ErrorCode::kUsage, what.str());
}

std::vector<std::string> Arguments::All(const std::string& name) const {
  const auto found = options.find(name);
  return found == options.end() ? Words{} : found->second;
}

std::int64_t Arguments::PositionalInteger(std::size_t index,
                                          const std::string& what) const {
  return ParseInteger(positionals.at(index), what, 0, std::int64_t{1} << 53);
}

Arguments ParseArguments(const CommandSpec& command,
                         const std::vector<std::string>& words) {
  CheckOptionNames(command, words);
  cxxopts::Options options = MakeOptions(command);
  options.add_options()("positionals", "", cxxopts::value<Words>());
  options.parse_positional("positionals");
  std::vector<const char*> argv = {"hone"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  Arguments arguments;
  try {
    arguments = Collect(
        command, options.parse(static_cast<int>(argv.size()), argv.data()));
  } catch (const cxxopts::exceptions::exception& error) {
    Refuse(command, error.what());
  }
  const int count = static_cast<int>(arguments.positionals.size());
  if (count < command.min_positionals) {
    Refuse(command, "needs " + command.positionals);
  }
  if (command.max_positionals >= 0 && count > command.max_positionals) {
    Refuse(command, "does not take '" +
                        arguments.positionals[static_cast<std::size_t>(
                            command.max_positionals)] +
                        "'" +
                        (command.positionals.empty() ? "" : "; it takes ") +
                        command.positionals);
  }
  return arguments;
}

std::string CommandHelp(const CommandSpec& command) {
  cxxopts::Options options = MakeOptions(command);
  options.set_width(78);
  return options.help() + "\nExample:\n  " + command.example + "\n";
}

}  // namespace hone
