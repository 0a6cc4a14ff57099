#include <sstream>
#include <type_traits>

#include "experiments/search_spec.h"

namespace hone {
namespace {

std::string RuleText(const FieldRule& rule) {
  std::ostringstream out;
  if (const auto* range = std::get_if<InRange>(&rule)) {
    out << range->low << " to " << range->high;
  } else if (const auto* words = std::get_if<OneOf>(&rule)) {
    for (const std::string& word : words->words) {
      out << (out.str().empty() ? "" : ", ") << '"' << word << '"';
    }
  }
  return out.str();
}

// TOML and JSON write every value that a field may have alike.
template <typename T>
std::string DefaultText(const T& value) {
  std::string text = Json(value).dump();
  std::string spaced;
  for (const char c : text) {
    spaced += c;
    if (c == ',') spaced += ' ';
  }
  return spaced;
}

}  // namespace

std::string SpecReference() {
  std::ostringstream out;
  out << "# The search spec\n\n"
         "Written by `hone docs spec` from the field lists in the sources; do "
         "not edit.\n\n"
         "A spec is a TOML file of at most 1 MiB. Every key has a default; an "
         "unknown or\nduplicate key is an error. `--set table.key=value` on "
         "the command line overrides\nthe file and passes the same checks. "
         "Only `search.trials` may change between\nruns of one study. Files "
         "are relative to the folder that `hone` runs in.\n";
  const SearchSpec spec;
  SearchSpec::Sections(spec, [&](const std::string& name, const auto& options,
                                 const char* doc) {
    out << "\n## [" << name << "]\n\n"
        << doc << "\n\n| key | default | allowed | meaning |\n|---|---|---|---|"
        << "\n";
    std::decay_t<decltype(options)>::Fields(
        options, [&](const char* key, const auto& value, const FieldRule& rule,
                     const char* meaning) {
          out << "| `" << key << "` | `" << DefaultText(value) << "` | "
              << RuleText(rule) << " | " << meaning << " |\n";
        });
  });
  return out.str();
}

}  // namespace hone
