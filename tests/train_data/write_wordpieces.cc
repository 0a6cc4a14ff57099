// The word pieces of texts, for a program that shares no code with Hone:
// tests/train_data/wordpiece_check.py.
// Usage: write_wordpieces VOCABULARY FOLD_CASE FILE
//        write_wordpieces verses
// FILE: a JSON list of texts. Writes a JSON list of lists of numbers, or the
// texts of the installed Spanish and English verses.

#include <iostream>
#include <limits>
#include <string>

#include "space/base/file.h"
#include "space/base/json.h"
#include "train/data/sword.h"
#include "train/data/wordpiece.h"

namespace hone {
namespace {

Json Verses() {
  Json verses = Json::array();
  for (const char* module : {"spaRV1909eb", "engKJV2006eb"}) {
    for (const std::string& verse : ReadSwordModule(SwordFolder(module))) {
      verses.push_back(verse);
    }
  }
  return verses;
}

Json Encode(const std::string& vocabulary, bool fold_case,
            const std::string& file) {
  const WordPiece pieces(ReadWordPieces(vocabulary), fold_case, vocabulary);
  Json tokens = Json::array();
  for (const Json& text : ParseJson(ReadFile(file), file)) {
    tokens.push_back(pieces.Encode(text.get<std::string>(),
                                   std::numeric_limits<int>::max()));
  }
  return tokens;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  const bool verses = argc == 2 && std::string(argv[1]) == "verses";
  if (argc != 4 && !verses) {
    std::cerr << "usage: write_wordpieces VOCABULARY FOLD_CASE FILE\n";
    return 2;
  }
  try {
    const hone::Json result =
        verses ? hone::Verses()
               : hone::Encode(argv[1], std::string(argv[2]) == "true", argv[3]);
    std::cout << result.dump() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "write_wordpieces: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
