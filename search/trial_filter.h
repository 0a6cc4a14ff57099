#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "search/trial.h"

namespace hone {

// A condition on trials, from a small language:
//
//   condition = term { "or" term }        term = factor { "and" factor }
//   factor = "not" factor | "(" condition ")" | name operator value
//   operator = < <= > >= = !=
//
// Names are metrics and `number` with a number as value, or `state`, `fidelity`
// and `origin` with a word in single quotes and = or !=. A comparison with a
// metric that a trial lacks is false.
class TrialFilter {
 public:
  // A value that SQL gets as a bound parameter, never as text.
  using Parameter = std::variant<double, std::string>;
  struct Sql {
    std::string condition;  // over a row `t` of table trial
    std::vector<Parameter> parameters;
  };

  // Throws Error{kUsage} naming the column of what is wrong.
  static TrialFilter Parse(const std::string& text);

  bool Matches(const Trial& trial) const;
  Sql ToSql() const;
  // The metrics that it compares, to be checked against those that exist.
  std::vector<std::string> Metrics() const;

 private:
  struct Node;
  explicit TrialFilter(std::shared_ptr<const Node> root)
      : root_(std::move(root)) {}
  friend class FilterParser;
  std::shared_ptr<const Node> root_;
};

}  // namespace hone
