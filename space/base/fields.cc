#include "space/base/fields.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "space/base/error.h"

namespace hone {
namespace {

std::string NumberViolation(double value, const FieldRule& rule) {
  const auto* range = std::get_if<InRange>(&rule);
  if (!std::isfinite(value)) return "a finite number is needed";
  if (!range || (value >= range->low && value <= range->high)) return {};
  std::ostringstream out;
  out << value << " is out of range; use " << range->low << " to "
      << range->high;
  return out.str();
}

}  // namespace

std::string RuleViolation(bool, const FieldRule&) { return {}; }

std::string RuleViolation(std::int64_t value, const FieldRule& rule) {
  return NumberViolation(static_cast<double>(value), rule);
}

std::string RuleViolation(double value, const FieldRule& rule) {
  return NumberViolation(value, rule);
}

std::string RuleViolation(const std::string& value, const FieldRule& rule) {
  const auto* words = std::get_if<OneOf>(&rule);
  if (!words || std::find(words->words.begin(), words->words.end(), value) !=
                    words->words.end()) {
    return {};
  }
  return "unknown value '" + value + "'" + DidYouMean(value, words->words);
}

}  // namespace hone
