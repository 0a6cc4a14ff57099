#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/data/dataset.h"

namespace hone {

enum class Split { kTrain, kDev, kTest };

// One gloss of WordNet 3.0: the definition without its quoted examples, and the
// number of its lexicographer file (wninput(5WN)).
struct Gloss {
  std::string text;
  std::int64_t category = 0;
  Split split = Split::kTrain;
};

// All glosses of data.noun, data.verb, data.adj and data.adv in `folder`, in
// file order. Split by MD5 of the whole gloss as a number, modulo 10: 0-7
// train, 8 dev, 9 test, so that equal glosses fall into one split. Throws:
// Error{kNotFound} naming the Debian package; Error{kUsage} naming file and
// line of a record that is not as wndb(5WN) says.
std::vector<Gloss> ReadWordNet(const std::filesystem::path& folder);

// "noun.animal" and so on, by lexicographer file number.
const std::vector<std::string>& LexicographerFiles();

// Where the Debian package wordnet-base keeps its files.
std::filesystem::path WordNetFolder();

}  // namespace hone
