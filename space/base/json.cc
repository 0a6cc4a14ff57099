#include "space/base/json.h"

#include <set>
#include <vector>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr int kMaxDepth = 64;

void CheckFinite(const Json& json) {
  if (json.is_number_float() && !std::isfinite(json.get<double>())) {
    throw Error(ErrorCode::kInternal, "JSON cannot hold NaN or infinity");
  }
  if (json.is_structured()) {
    for (const Json& item : json) CheckFinite(item);
  }
}

}  // namespace

Json ParseJson(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kMaxDepth) {
      throw Error(ErrorCode::kUsage, where + ": nested deeper than 64 levels");
    }
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys.back().insert(value.get<std::string>()).second) {
      throw Error(ErrorCode::kUsage,
                  where + ": duplicate key '" + value.get<std::string>() + "'");
    }
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kUsage, where + ": not valid JSON: " + error.what());
  }
}

std::string CanonicalJson(const Json& json) {
  CheckFinite(json);
  return json.dump();
}

}  // namespace hone
