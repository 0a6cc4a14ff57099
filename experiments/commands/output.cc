#include "experiments/commands/output.h"

#include "space/base/error.h"

namespace hone {

std::vector<OptionSpec> FormatOptions() {
  return {{"json", "", "print JSON"}, {"csv", "", "print CSV"}};
}

Format FormatOf(const Arguments& arguments) {
  if (arguments.Has("json") && arguments.Has("csv")) {
    throw Error(ErrorCode::kUsage, "--json or --csv, not both");
  }
  if (arguments.Has("json")) return Format::kJson;
  return arguments.Has("csv") ? Format::kCsv : Format::kText;
}

void PrintJson(const Json& json, const CommandContext& context) {
  context.out << json.dump(2, ' ', false, Json::error_handler_t::replace)
              << "\n";
}

std::string JsonLine(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace hone
