#pragma once

#include <map>
#include <string>
#include <vector>

#include "experiments/search_spec.h"
#include "experiments/toml.h"

namespace hone {

// A spec and where each of its values was written, by path: "space.heads",
// "space.heads[2]". What a spec leaves out is not listed.
struct LocatedSpec {
  SearchSpec spec;
  std::map<std::string, std::string> where;
  std::string source;  // for what is not written anywhere
};

// Fills the options of every table from a tree; checks keys, types and ranges.
// Throws Error{kUsage}.
LocatedSpec ReadSections(const SpecNode& root, const std::string& source);

// Checks what fields demand of each other and of the words in them.
// Throws Error{kUsage}.
void CheckSpec(const LocatedSpec& located);

}  // namespace hone
