#include "experiments/search_spec.h"

#include <algorithm>
#include <set>
#include <type_traits>

#include "experiments/metric_names.h"
#include "experiments/spec_reader.h"
#include "experiments/toml.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/hash.h"

namespace hone {
namespace {

constexpr std::uintmax_t kMaxSpecBytes = std::uintmax_t{1} << 20;

// What may change between runs of one study.
const std::set<std::string>& ChangeableFields() {
  static const std::set<std::string> kFields = {"search.trials"};
  return kFields;
}

Json::json_pointer PointerTo(const std::string& path) {
  std::string pointer = "/" + path;
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  return Json::json_pointer(pointer);
}

Json WithoutChangeable(Json json) {
  for (const std::string& path : ChangeableFields()) {
    const Json::json_pointer pointer = PointerTo(path);
    if (json.contains(pointer)) {
      json[pointer.parent_pointer()].erase(pointer.back());
    }
  }
  return json;
}

// Puts "a.b.c=value" into the tree, above what the file says.
void ApplyOverride(const std::string& assignment, SpecNode& root) {
  const std::string source = "--set " + assignment;
  const std::size_t equals = assignment.find('=');
  const std::string path = assignment.substr(0, equals);
  if (equals == std::string::npos || path.find('.') == std::string::npos) {
    throw Error(ErrorCode::kUsage, source +
                                       ": use --set table.key=value, such as "
                                       "--set training.steps=100");
  }
  SpecNode* node = &root;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t dot = std::min(path.find('.', begin), path.size());
    auto* table = std::get_if<SpecNode::Table>(&node->value);
    if (!table) {
      throw Error(ErrorCode::kUsage,
                  source + ": " + path.substr(0, begin - 1) + " is no table");
    }
    SpecNode& child = (*table)[path.substr(begin, dot - begin)];
    if (child.where.empty()) child.where = child.key_where = source;
    node = &child;
    begin = dot + 1;
  }
  *node = ParseTomlValue(assignment.substr(equals + 1), source);
}

void ListDifferences(const Json& first, const Json& second,
                     const std::string& path,
                     std::vector<SpecDifference>& differences) {
  if (!first.is_object() || !second.is_object()) {
    if (first != second) {
      differences.push_back({path, first.dump(), second.dump()});
    }
    return;
  }
  std::set<std::string> keys;
  for (const auto& [key, value] : first.items()) keys.insert(key);
  for (const auto& [key, value] : second.items()) keys.insert(key);
  for (const std::string& key : keys) {
    ListDifferences(first.value(key, Json()), second.value(key, Json()),
                    path.empty() ? key : path + "." + key, differences);
  }
}

}  // namespace

bool TrainsNothing(const SearchSpec& spec) {
  return ParseFidelity(spec.search.fidelity) == Fidelity::kCost;
}

SearchSpec ReadSearchSpec(const std::filesystem::path& path,
                          const std::vector<std::string>& overrides) {
  return ParseSearchSpec(ReadFile(path, kMaxSpecBytes), path.string(),
                         overrides);
}

SearchSpec ParseSearchSpec(const std::string& text, const std::string& source,
                           const std::vector<std::string>& overrides) {
  SpecNode root = ParseToml(text, source);
  for (const std::string& assignment : overrides) {
    ApplyOverride(assignment, root);
  }
  LocatedSpec located = ReadSections(root, source);
  if (!located.where.contains("study.objectives")) {
    located.spec.study.objectives = UsualObjectives(located.spec);
  }
  CheckSpec(located);
  return located.spec;
}

Json SpecToJson(const SearchSpec& spec) {
  Json json = Json::object();
  SearchSpec::Sections(
      spec, [&](const std::string& name, const auto& options, const char*) {
        json[PointerTo(name)].update(FieldsToJson(options));
      });
  return json;
}

SearchSpec SpecFromJson(const Json& json) {
  SearchSpec spec;
  try {
    SearchSpec::Sections(
        spec, [&](const std::string& name, auto& options, const char*) {
          const Json table = json.value(PointerTo(name), Json::object());
          const auto& fields = table.get_ref<const Json::object_t&>();
          std::decay_t<decltype(options)>::Fields(
              options,
              [&](const char* key, auto& field, const FieldRule&, const char*) {
                if (fields.contains(key)) fields.at(key).get_to(field);
              });
        });
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kIntegrity,
                std::string("the stored spec cannot be read: ") + error.what());
  }
  return spec;
}

std::string SpecHash(const SearchSpec& spec) {
  return Sha256(CanonicalJson(WithoutChangeable(SpecToJson(spec))));
}

std::vector<SpecDifference> SpecDifferences(const Json& first,
                                            const Json& second) {
  std::vector<SpecDifference> differences;
  ListDifferences(WithoutChangeable(first), WithoutChangeable(second), "",
                  differences);
  return differences;
}

}  // namespace hone
