#pragma once

#include <string>
#include <vector>

#include "experiments/command.h"
#include "experiments/table.h"
#include "space/base/json.h"

namespace hone {

// --json and --csv, which exclude each other.
std::vector<OptionSpec> FormatOptions();
enum class Format { kText, kJson, kCsv };
// Throws Error{kUsage} when both are given.
Format FormatOf(const Arguments& arguments);

// What people see and what follows a pipe: bytes that are no UTF-8, which texts
// and paths may have, become U+FFFD.
void PrintJson(const Json& json, const CommandContext& context);
// On one line, without its end.
std::string JsonLine(const Json& json);

}  // namespace hone
