#pragma once

#include <string>

#include "space/base/error.h"
#include "space/base/fields.h"

namespace hone {

// For options that reach a function from code instead of a spec: throws
// Error{kUsage} naming the first field that breaks its rule.
template <typename Options>
void CheckFields(const Options& options) {
  Options::Fields(options, [](const char* name, const auto& value,
                              const FieldRule& rule, const char*) {
    const std::string violation = RuleViolation(value, rule);
    if (!violation.empty()) {
      throw Error(ErrorCode::kUsage, std::string(name) + ": " + violation);
    }
  });
}

}  // namespace hone
