#include "space/constraint.h"

#include <charconv>
#include <cmath>
#include <sstream>

#include "space/base/error.h"

namespace hone {
namespace {

std::string Trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

Constraint ParseConstraint(const std::string& text) {
  const std::size_t at = text.find_first_of("<>");
  Constraint constraint;
  bool valid = at != std::string::npos && text.substr(at + 1, 1) == "=";
  if (valid) {
    constraint.metric = Trimmed(text.substr(0, at));
    constraint.at_most = text[at] == '<';
    const std::string number = Trimmed(text.substr(at + 2));
    const auto parsed = std::from_chars(
        number.data(), number.data() + number.size(), constraint.bound);
    valid = !constraint.metric.empty() && parsed.ec == std::errc() &&
            parsed.ptr == number.data() + number.size() &&
            std::isfinite(constraint.bound);
  }
  if (!valid) {
    throw Error(ErrorCode::kUsage,
                "'" + text +
                    "' is no bound; write METRIC <= NUMBER or "
                    "METRIC >= NUMBER, such as parameters <= 2e6");
  }
  return constraint;
}

std::string ToText(const Constraint& constraint) {
  std::ostringstream out;
  out << constraint.metric << (constraint.at_most ? " <= " : " >= ")
      << constraint.bound;
  return out.str();
}

bool Holds(const Constraint& constraint, double value) {
  return constraint.at_most ? value <= constraint.bound
                            : value >= constraint.bound;
}

}  // namespace hone
