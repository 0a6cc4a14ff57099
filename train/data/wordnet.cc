#include "train/data/wordnet.h"

#include <array>
#include <charconv>
#include <string_view>

#include <openssl/evp.h>

#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

// MD5 (RFC 1321) as a big-endian number, modulo 10. Only a stable way to split.
int Md5Modulo10(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  HONE_CHECK_EQ(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size,
                           EVP_md5(), nullptr),
                1);
  int remainder = 0;
  for (unsigned int i = 0; i < size; ++i) {
    remainder = (remainder * 256 + digest[i]) % 10;
  }
  return remainder;
}

std::string_view Trimmed(std::string_view text, std::string_view characters) {
  const std::size_t begin = text.find_first_not_of(characters);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(characters) - begin + 1);
}

// Drops "quoted examples", and what separated them from the definition.
std::string Definition(std::string_view gloss) {
  std::string text;
  bool quoted = false;
  for (const char c : gloss) {
    if (c == '"') {
      quoted = !quoted;
    } else if (!quoted) {
      text += c;
    }
  }
  return std::string(Trimmed(text, " ;"));
}

Gloss ParseRecord(std::string_view line, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kUsage,
                where + ": " + what + "; is this a WordNet 3.0 data file?");
  };
  const std::size_t bar = line.find(" | ");
  const std::size_t first = line.find(' ');
  if (bar == std::string_view::npos || first + 3 > line.size()) {
    refuse("a record with a gloss after '|' is needed");
  }
  Gloss gloss;
  const char* number = line.data() + first + 1;
  const auto parsed = std::from_chars(number, number + 2, gloss.category);
  if (parsed.ec != std::errc() || parsed.ptr != number + 2 ||
      gloss.category >=
          static_cast<std::int64_t>(LexicographerFiles().size())) {
    refuse("the second field is no lexicographer file number from 00 to 44");
  }
  const std::string_view whole = Trimmed(line.substr(bar + 3), " \r");
  gloss.text = Definition(whole);
  if (gloss.text.empty()) gloss.text = Trimmed(whole, "\" ;");
  if (gloss.text.empty()) refuse("the gloss is empty");
  const int bucket = Md5Modulo10(whole);
  gloss.split = bucket < 8    ? Split::kTrain
                : bucket == 8 ? Split::kDev
                              : Split::kTest;
  return gloss;
}

}  // namespace

const std::vector<std::string>& LexicographerFiles() {
  static const std::vector<std::string> names = {
      "adj.all",          "adj.pert",           "adv.all",
      "noun.Tops",        "noun.act",           "noun.animal",
      "noun.artifact",    "noun.attribute",     "noun.body",
      "noun.cognition",   "noun.communication", "noun.event",
      "noun.feeling",     "noun.food",          "noun.group",
      "noun.location",    "noun.motive",        "noun.object",
      "noun.person",      "noun.phenomenon",    "noun.plant",
      "noun.possession",  "noun.process",       "noun.quantity",
      "noun.relation",    "noun.shape",         "noun.state",
      "noun.substance",   "noun.time",          "verb.body",
      "verb.change",      "verb.cognition",     "verb.communication",
      "verb.competition", "verb.consumption",   "verb.contact",
      "verb.creation",    "verb.emotion",       "verb.motion",
      "verb.perception",  "verb.possession",    "verb.social",
      "verb.stative",     "verb.weather",       "adj.ppl"};
  return names;
}

std::filesystem::path WordNetFolder() { return "/usr/share/wordnet"; }

std::vector<Gloss> ReadWordNet(const std::filesystem::path& folder) {
  std::vector<Gloss> glosses;
  for (const char* name : {"data.noun", "data.verb", "data.adj", "data.adv"}) {
    const std::filesystem::path path = folder / name;
    if (!std::filesystem::exists(path)) {
      throw Error(
          ErrorCode::kNotFound,
          path.string() +
              ": no such file; install the Debian package wordnet-base");
    }
    const std::string text = ReadFile(path);
    std::size_t line_number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) end = text.size();
      const std::string_view line(text.data() + begin, end - begin);
      ++line_number;
      begin = end + 1;
      if (line.empty() || line[0] == ' ') continue;
      glosses.push_back(
          ParseRecord(line, path.string() + ":" + std::to_string(line_number)));
    }
  }
  return glosses;
}

}  // namespace hone
