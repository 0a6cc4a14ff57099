#include "experiments/toml.h"

#define TOML_EXCEPTIONS 1
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr int kMaxDepth = 16;
constexpr int kMaxDotsInKey = 64;

[[noreturn]] void Refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kUsage, where + ": " + what);
}

std::string Position(const std::string& source, const toml::source_region& at) {
  return source + ":" + std::to_string(at.begin.line) + ":" +
         std::to_string(at.begin.column);
}

// A dotted key of a million parts would be a tree too deep for the parser's
// recursion, which limits only brackets.
void CheckDottedKeys(std::string_view text, const std::string& source) {
  int dots = 0;
  int line = 1;
  for (const char c : text) {
    if (c == '\n') ++line;
    if (c == '.') {
      if (++dots > kMaxDotsInKey) {
        Refuse(source + ":" + std::to_string(line), "nested too deeply");
      }
    } else if (std::string_view("=,[]{}\n").find(c) != std::string_view::npos) {
      dots = 0;
    }
  }
}

class Converter {
 public:
  explicit Converter(const std::string& source) : source_(source) {}

  SpecNode Convert(const toml::node& node, int depth) const {
    SpecNode out;
    out.where = Position(source_, node.source());
    if (depth > kMaxDepth) Refuse(out.where, "nested deeper than 16 levels");
    if (const auto* table = node.as_table()) {
      out.value = ConvertTable(*table, depth);
    } else if (const auto* array = node.as_array()) {
      SpecNode::List list;
      for (const toml::node& item : *array) {
        list.push_back(Convert(item, depth + 1));
      }
      out.value = std::move(list);
    } else if (const auto* text = node.as_string()) {
      out.value = text->get();
    } else if (const auto* integer = node.as_integer()) {
      out.value = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      out.value = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
      out.value = boolean->get();
    } else {
      Refuse(out.where, "dates and times are no values of a spec");
    }
    return out;
  }

 private:
  SpecNode::Table ConvertTable(const toml::table& table, int depth) const {
    SpecNode::Table out;
    for (const auto& [key, item] : table) {
      SpecNode child = Convert(item, depth + 1);
      child.key_where = Position(source_, key.source());
      out.emplace(std::string(key.str()), std::move(child));
    }
    return out;
  }

  const std::string& source_;
};

// An override has no place in a file: all of it is `where`.
void SetWhere(SpecNode& node, const std::string& where) {
  node.where = node.key_where = where;
  if (auto* list = std::get_if<SpecNode::List>(&node.value)) {
    for (SpecNode& item : *list) SetWhere(item, where);
  } else if (auto* table = std::get_if<SpecNode::Table>(&node.value)) {
    for (auto& [key, item] : *table) SetWhere(item, where);
  }
}

}  // namespace

std::string KindName(const SpecNode& node) {
  static constexpr const char* kNames[] = {
      "a boolean", "an integer", "a number", "a string", "a list", "a table"};
  return kNames[node.value.index()];
}

SpecNode ParseToml(std::string_view text, const std::string& source) {
  if (text.size() > kMaxBytes) Refuse(source, "larger than 1 MiB");
  CheckDottedKeys(text, source);
  try {
    return Converter(source).Convert(toml::parse(text, source), 0);
  } catch (const toml::parse_error& error) {
    Refuse(Position(source, error.source()), std::string(error.description()));
  }
}

SpecNode ParseTomlValue(std::string_view text, const std::string& source) {
  const std::string value(text);
  if (value.find_first_of("\r\n") != std::string::npos) {
    Refuse(source, "a value is one line");
  }
  SpecNode node;
  try {
    const SpecNode root = ParseToml("value = " + value, source);
    node = std::get<SpecNode::Table>(root.value).at("value");
  } catch (const Error& error) {
    if (value.find_first_of("\"'[]{}#") != std::string::npos) {
      Refuse(source, "'" + value + "' is not a TOML value");
    }
    node.value = value;
  }
  SetWhere(node, source);
  return node;
}

}  // namespace hone
