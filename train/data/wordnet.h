#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hone {

enum class Split { kTrain, kDev, kTest };

// One gloss of WordNet 3.0: the definition without its quoted examples, and the
// number of its lexicographer file (lexnames(5WN)).
struct Gloss {
  std::string text;
  std::int64_t category = 0;
  Split split = Split::kTrain;
};

// All glosses of data.noun, data.verb, data.adj and data.adv in `folder`, in
// file order. Split by the first 32 bits of the MD5 (RFC 1321) of the whole
// gloss, as a big-endian number modulo 10: 0-7 train, 8 dev, 9 test, so that
// equal glosses fall into one split. (Two glosses that differ only in their
// examples may part.)
// Throws: Error{kNotFound} naming the Debian package; Error{kUsage} naming file
// and line of a record that is not as wndb(5WN) says: among other things, its
// first field must be the byte it begins at, so a changed file is noticed.
std::vector<Gloss> ReadWordNet(const std::filesystem::path& folder);

// "noun.animal" and so on, by lexicographer file number.
const std::vector<std::string>& LexicographerFiles();

// Where the Debian package wordnet-base keeps its files.
std::filesystem::path WordNetFolder();

}  // namespace hone
