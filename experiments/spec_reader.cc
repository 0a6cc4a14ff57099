#include "experiments/spec_reader.h"

#include <algorithm>
#include <type_traits>

#include "space/base/error.h"

namespace hone {
namespace {

[[noreturn]] void Refuse(const std::string& where, const std::string& path,
                         const std::string& what) {
  throw Error(ErrorCode::kUsage, where + ": " + path + ": " + what);
}

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

template <typename T>
constexpr const char* KindOf() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, std::int64_t>) return "an integer";
  if constexpr (std::is_same_v<T, double>) return "a number";
  if constexpr (std::is_same_v<T, std::string>) return "a string";
  if constexpr (IsVector<T>::value) return "a list";
}

class SectionReader {
 public:
  explicit SectionReader(std::map<std::string, std::string>& where)
      : where_(where) {}

  template <typename Options>
  void Read(const SpecNode::Table& table, const std::string& section,
            const std::vector<std::string>& subtables, Options& options) {
    std::vector<std::string> known = subtables;
    Options::Fields(options, [&](const char* name, auto& field,
                                 const FieldRule& rule, const char*) {
      known.push_back(name);
      const auto found = table.find(name);
      if (found == table.end()) return;
      const std::string path = section + "." + name;
      where_[path] = found->second.where;
      Assign(found->second, path, rule, field);
    });
    for (const auto& [key, node] : table) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        Refuse(node.key_where, section + "." + key,
               "unknown key" + DidYouMean(key, known));
      }
    }
  }

 private:
  template <typename T>
  void Assign(const SpecNode& node, const std::string& path,
              const FieldRule& rule, T& field) {
    if constexpr (IsVector<T>::value) {
      const auto* list = std::get_if<SpecNode::List>(&node.value);
      if (!list) RefuseKind<T>(node, path);
      field.clear();
      for (std::size_t i = 0; i < list->size(); ++i) {
        const std::string element = path + "[" + std::to_string(i) + "]";
        where_[element] = (*list)[i].where;
        typename T::value_type value{};
        Assign((*list)[i], element, rule, value);
        field.push_back(std::move(value));
      }
    } else {
      AssignScalar(node, path, field);
      const std::string violation = RuleViolation(field, rule);
      if (!violation.empty()) Refuse(node.where, path, violation);
    }
  }

  template <typename T>
  void AssignScalar(const SpecNode& node, const std::string& path, T& field) {
    if (const auto* value = std::get_if<T>(&node.value)) {
      field = *value;
      return;
    }
    if constexpr (std::is_same_v<T, double>) {
      if (const auto* integer = std::get_if<std::int64_t>(&node.value)) {
        field = static_cast<double>(*integer);
        return;
      }
    }
    RefuseKind<T>(node, path);
  }

  template <typename T>
  [[noreturn]] void RefuseKind(const SpecNode& node, const std::string& path) {
    Refuse(node.where, path,
           std::string(KindOf<T>()) + " is needed, not " + KindName(node));
  }

  std::map<std::string, std::string>& where_;
};

std::vector<std::string> SectionNames() {
  std::vector<std::string> names;
  const SearchSpec spec;
  SearchSpec::Sections(spec, [&](const std::string& name, const auto&,
                                 const char*) { names.push_back(name); });
  return names;
}

// "training" for "teacher.training" under "teacher"; "" stands for the root.
std::vector<std::string> ChildrenOf(const std::string& parent) {
  const std::string prefix = parent.empty() ? "" : parent + ".";
  std::vector<std::string> children;
  for (const std::string& name : SectionNames()) {
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    const std::string rest = name.substr(prefix.size());
    if (rest.find('.') == std::string::npos) children.push_back(rest);
  }
  return children;
}

// The table of a section, or an empty one when the spec leaves it out.
const SpecNode::Table& TableAt(const SpecNode& root, const std::string& path) {
  static const SpecNode::Table kNothing;
  const SpecNode* node = &root;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t dot = std::min(path.find('.', begin), path.size());
    const auto& table = std::get<SpecNode::Table>(node->value);
    const auto found = table.find(path.substr(begin, dot - begin));
    if (found == table.end()) return kNothing;
    node = &found->second;
    if (!std::holds_alternative<SpecNode::Table>(node->value)) {
      Refuse(node->where, path, "a table is needed, not " + KindName(*node));
    }
    begin = dot + 1;
  }
  return std::get<SpecNode::Table>(node->value);
}

}  // namespace

LocatedSpec ReadSections(const SpecNode& root, const std::string& source) {
  LocatedSpec located;
  located.source = source;
  const std::vector<std::string> tables = ChildrenOf("");
  for (const auto& [key, node] : std::get<SpecNode::Table>(root.value)) {
    if (std::find(tables.begin(), tables.end(), key) == tables.end()) {
      Refuse(node.key_where, key, "unknown table" + DidYouMean(key, tables));
    }
  }
  SectionReader reader(located.where);
  SearchSpec::Sections(
      located.spec, [&](const std::string& name, auto& options, const char*) {
        reader.Read(TableAt(root, name), name, ChildrenOf(name), options);
      });
  return located;
}

}  // namespace hone
