#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "space/base/json.h"

// One field list per Options struct drives TOML, JSON, hash, validation and
// docs/search_spec.md. A struct takes part by a static member template:
//
//   struct TrainOptions {
//     std::int64_t steps = 1000;
//     double learning_rate = 1e-3;
//
//     template <typename Self, typename Visitor>
//     static void Fields(Self& self, Visitor&& visit) {
//       visit("steps", self.steps, InRange{1, 1e7}, "optimizer steps");
//       visit("learning_rate", self.learning_rate, InRange{1e-8, 1}, "peak");
//     }
//   };
//
// Field types: bool, std::int64_t, double, std::string, and std::vector of the
// last three.
namespace hone {

struct AnyValue {};
// Inclusive bounds, of the value or of every element.
struct InRange {
  double low;
  double high;
};
// The allowed words, of the value or of every element.
struct OneOf {
  std::vector<std::string> words;
};
using FieldRule = std::variant<AnyValue, InRange, OneOf>;

// What is wrong with a value under its rule, as "13 is not in 1..8; use ...",
// or empty when nothing is.
std::string RuleViolation(bool value, const FieldRule& rule);
std::string RuleViolation(std::int64_t value, const FieldRule& rule);
std::string RuleViolation(double value, const FieldRule& rule);
std::string RuleViolation(const std::string& value, const FieldRule& rule);
template <typename T>
std::string RuleViolation(const std::vector<T>& values, const FieldRule& rule) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::string violation = RuleViolation(values[i], rule);
    if (!violation.empty()) {
      return "element " + std::to_string(i) + ": " + violation;
    }
  }
  return {};
}

// All fields as a JSON object, in canonical key order.
template <typename Options>
Json FieldsToJson(const Options& options) {
  Json json = Json::object();
  Options::Fields(options,
                  [&](const char* name, const auto& value, const FieldRule&,
                      const char*) { json[name] = value; });
  return json;
}

}  // namespace hone
