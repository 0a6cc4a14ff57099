#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace hone {

// Objects keep their keys sorted, so a dump is canonical.
using Json = nlohmann::json;

// Strict parse: duplicate keys, trailing text and nesting above 64 levels are
// refused. `where` names the source in the message. Throws Error{kUsage}.
Json ParseJson(std::string_view text, const std::string& where);

// Sorted keys, no blanks, shortest round-trip numbers. Throws Error{kInternal}
// on NaN or infinity, which JSON cannot hold.
std::string CanonicalJson(const Json& json);

}  // namespace hone
