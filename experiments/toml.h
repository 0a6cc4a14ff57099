#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hone {

// A value of a spec and where it was written, free of any TOML library.
struct SpecNode {
  using List = std::vector<SpecNode>;
  using Table = std::map<std::string, SpecNode>;

  std::variant<bool, std::int64_t, double, std::string, List, Table> value =
      Table{};
  std::string where;      // of the value: "specs/tiny.toml:14:9" or "--set"
  std::string key_where;  // of the key that names it
};

// "an integer", "a table", ... for messages.
std::string KindName(const SpecNode& node);

// Parses TOML 1.0. Dates are refused, for no option is one. At most 1 MiB and
// 16 levels of nesting. Throws Error{kUsage} with "source:line:column: ...";
// duplicate keys are refused by name.
SpecNode ParseToml(std::string_view text, const std::string& source);

// Parses what stands on the right of `--set key=VALUE`: a TOML value, or else a
// bare word that is taken as a string.
SpecNode ParseTomlValue(std::string_view text, const std::string& source);

}  // namespace hone
