#include "train/data/wordnet.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include <openssl/evp.h>

#include "space/base/error.h"
#include "space/base/file.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

// The records of one file, by wndb(5WN).
struct PartOfSpeech {
  const char* file;
  std::string_view types;     // what may stand in the third field
  std::string_view category;  // how the names of its categories begin
};
constexpr PartOfSpeech kParts[] = {{"data.noun", "n", "noun."},
                                   {"data.verb", "v", "verb."},
                                   {"data.adj", "as", "adj."},
                                   {"data.adv", "r", "adv."}};

Split SplitOf(std::string_view gloss) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  HONE_CHECK_EQ(EVP_Digest(gloss.data(), gloss.size(), digest.data(), nullptr,
                           EVP_md5(), nullptr),
                1);
  std::uint32_t number = 0;
  for (int i = 0; i < 4; ++i) number = number << 8 | digest[i];
  const std::uint32_t bucket = number % 10;
  return bucket < 8 ? Split::kTrain : bucket == 8 ? Split::kDev : Split::kTest;
}

std::string_view Trimmed(std::string_view text, std::string_view characters) {
  const std::size_t begin = text.find_first_not_of(characters);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(characters) - begin + 1);
}

std::string WithoutQuoted(std::string_view gloss) {
  std::string text;
  bool quoted = false;
  for (const char c : gloss) {
    if (c == '"') {
      quoted = !quoted;
    } else if (!quoted) {
      text += c;
    }
  }
  return text;
}

// The definition: without "quoted examples", the punctuation around them, and
// the names of who wrote them ("- Mark Twain").
std::string Definition(std::string_view gloss) {
  const std::string unquoted = WithoutQuoted(gloss);
  std::string text;
  for (std::string_view rest = unquoted; !rest.empty();) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view part = Trimmed(rest.substr(0, end), " ,:");
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part.empty() || part.starts_with('-')) continue;
    if (!text.empty()) text += "; ";
    text += part;
  }
  return text;
}

// A number of exactly `digits` decimal digits at `at`, or -1.
std::int64_t NumberAt(std::string_view line, std::size_t at,
                      std::size_t digits) {
  std::int64_t number = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (i >= line.size() || line[i] < '0' || line[i] > '9') return -1;
    number = number * 10 + (line[i] - '0');
  }
  return number;
}

// A record: "00001740 03 n 01 entity 0 003 ... | gloss".
Gloss ParseRecord(std::string_view line, std::size_t offset,
                  const PartOfSpeech& part, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kUsage,
                where + ": " + what +
                    "; install the Debian package wordnet-base again");
  };
  if (NumberAt(line, 0, 8) != static_cast<std::int64_t>(offset)) {
    refuse("the first field is not the byte the record begins at, " +
           std::to_string(offset));
  }
  Gloss gloss;
  gloss.category = NumberAt(line, 9, 2);
  const auto& names = LexicographerFiles();
  if (gloss.category < 0 ||
      gloss.category >= static_cast<std::int64_t>(names.size()) ||
      !names[static_cast<std::size_t>(gloss.category)].starts_with(
          part.category)) {
    refuse("the second field is no lexicographer file number of " +
           std::string(part.category) + "*");
  }
  if (line.size() < 14 || line[13] != ' ' ||
      part.types.find(line[12]) == std::string_view::npos) {
    refuse("the third field is not one of '" + std::string(part.types) + "'");
  }
  const std::size_t bar = line.find(" | ");
  const std::string_view whole = bar == std::string_view::npos
                                     ? std::string_view()
                                     : Trimmed(line.substr(bar + 3), " ");
  if (!IsUtf8(whole)) refuse("the gloss is not valid UTF-8");
  gloss.text = Definition(whole);
  if (gloss.text.empty()) refuse("no definition after '|'");
  gloss.split = SplitOf(whole);
  return gloss;
}

std::vector<Gloss> ReadPart(const std::filesystem::path& path,
                            const PartOfSpeech& part) {
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(ErrorCode::kNotFound,
                path.string() +
                    ": no such file; install the Debian package wordnet-base");
  }
  const std::string text = ReadFile(path);
  std::vector<Gloss> glosses;
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::string where = path.string() + ":" + std::to_string(++number);
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) {
      throw Error(ErrorCode::kUsage,
                  where +
                      ": the last line is cut off; install the Debian "
                      "package wordnet-base again");
    }
    const std::string_view line(text.data() + begin, end - begin);
    // The licence, above the records, is indented.
    if (!line.starts_with("  ")) {
      glosses.push_back(ParseRecord(line, begin, part, where));
    }
    begin = end + 1;
  }
  if (glosses.empty()) {
    throw Error(ErrorCode::kUsage, path.string() + ":1: holds no records");
  }
  return glosses;
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
  for (const PartOfSpeech& part : kParts) {
    std::vector<Gloss> read = ReadPart(folder / part.file, part);
    glosses.insert(glosses.end(), std::make_move_iterator(read.begin()),
                   std::make_move_iterator(read.end()));
  }
  return glosses;
}

}  // namespace hone
