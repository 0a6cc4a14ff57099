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

void PrintJson(const Json& json, const CommandContext& context);

}  // namespace hone
