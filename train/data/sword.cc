#include "train/data/sword.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "space/base/error.h"
#include "space/base/file.h"
#include "train/data/inflate.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

constexpr std::uintmax_t kMaxFile = std::uintmax_t{1} << 28;
constexpr std::uint64_t kMaxBlock = std::uint64_t{1} << 26;
constexpr std::size_t kBlockEntry = 12;
constexpr std::size_t kVerseEntry = 10;

struct Module {
  const char* name;
  const char* package;
};
constexpr Module kModules[] = {{"engKJV2006eb", "sword-text-kjv"},
                               {"spaRV1909eb", "sword-text-sparv"}};

std::string Advice(const std::filesystem::path& folder) {
  for (const Module& module : kModules) {
    if (folder.filename() == module.name) {
      return std::string("install the Debian package ") + module.package;
    }
  }
  return "a folder with ot.bzs, ot.bzv, ot.bzz and the same of nt is needed";
}

std::uint64_t Number(std::string_view bytes, std::size_t at, int size) {
  std::uint64_t number = 0;
  for (int i = size; i-- > 0;) {
    number = number << 8 | static_cast<unsigned char>(
                               bytes[at + static_cast<std::size_t>(i)]);
  }
  return number;
}

// One file, and what its errors begin with.
struct File {
  std::filesystem::path path;
  std::string bytes;

  std::string Where(std::size_t at) const {
    return path.string() + ": byte " + std::to_string(at);
  }
  [[noreturn]] void Refuse(std::size_t at, const std::string& what) const {
    throw Error(ErrorCode::kUsage, Where(at) + ": " + what);
  }
};

File Open(const std::filesystem::path& folder, const std::string& name,
          std::size_t entry) {
  const std::filesystem::path path = folder / name;
  std::error_code status;
  if (!std::filesystem::is_regular_file(path, status)) {
    throw Error(ErrorCode::kNotFound,
                path.string() + ": no such file; " + Advice(folder));
  }
  File file{path, ReadFile(path, kMaxFile)};
  const std::size_t over = file.bytes.size() % entry;
  if (over != 0) {
    file.Refuse(file.bytes.size() - over,
                "the last entry is cut off; each has " + std::to_string(entry) +
                    " bytes");
  }
  return file;
}

// The block that the entry at `at` of `index` describes.
std::string Block(const File& index, std::size_t at, const File& data) {
  const std::uint64_t offset = Number(index.bytes, at, 4);
  const std::uint64_t size = Number(index.bytes, at + 4, 4);
  const std::uint64_t plain = Number(index.bytes, at + 8, 4);
  if (offset + size > data.bytes.size()) {
    index.Refuse(at, "a block of " + std::to_string(size) + " bytes at " +
                         std::to_string(offset) + ", and " +
                         data.path.filename().string() + " has " +
                         std::to_string(data.bytes.size()) + " bytes");
  }
  if (plain > kMaxBlock) {
    index.Refuse(at, "a block that inflates to " + std::to_string(plain) +
                         " bytes; at most " + std::to_string(kMaxBlock) +
                         " are read");
  }
  const std::string_view packed =
      std::string_view(data.bytes).substr(offset, size);
  Inflated block = Inflate(packed, plain, data.Where(offset));
  if (block.bytes.size() != plain) {
    data.Refuse(offset, "the block inflates to " +
                            std::to_string(block.bytes.size()) + " bytes; " +
                            index.path.filename().string() + " says " +
                            std::to_string(plain));
  }
  // libsword allots more than the stream takes, and writes all of it.
  const std::size_t junk = packed.find_first_not_of('\0', block.used);
  if (junk != std::string_view::npos) {
    data.Refuse(offset + junk, "other bytes after the end of a zlib stream");
  }
  return std::move(block.bytes);
}

std::vector<std::string> Blocks(const std::filesystem::path& folder,
                                const std::string& part) {
  const File index = Open(folder, part + ".bzs", kBlockEntry);
  const File data = Open(folder, part + ".bzz", 1);
  std::vector<std::string> blocks;
  std::uint64_t total = 0;
  for (std::size_t at = 0; at < index.bytes.size(); at += kBlockEntry) {
    blocks.push_back(Block(index, at, data));
    total += blocks.back().size();
    if (total > kMaxFile) {
      index.Refuse(at, "the blocks inflate to more than " +
                           std::to_string(kMaxFile) + " bytes");
    }
  }
  return blocks;
}

// "note" of "<note type=...>", "</note>" and "<note/>".
std::string_view ElementOf(std::string_view tag) {
  tag.remove_prefix(tag.starts_with("</") ? 2 : 1);
  return tag.substr(0, tag.find_first_of(" \t\r\n/>"));
}

// The text outside tags, notes and titles, if all of them end.
std::optional<std::string> WithoutMarkup(std::string_view text) {
  std::string plain;
  int depth = 0;
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find('<'), text.size());
    if (depth == 0) plain += text.substr(0, begin);
    text.remove_prefix(begin);
    if (text.empty()) break;
    const std::size_t end = text.find('>');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view tag = text.substr(0, end + 1);
    const std::string_view element = ElementOf(tag);
    if (element == "note" || element == "title") {
      depth += tag.starts_with("</") ? -1 : tag.ends_with("/>") ? 0 : 1;
    }
    if (depth < 0) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  if (depth > 0) return std::nullopt;
  return plain;
}

void Erase(std::string& text, std::string_view what) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos;) {
    text.erase(at, what.size());
  }
}

std::string SingleBlanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::string words;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    if (text.empty()) return words;
    if (!words.empty()) words += ' ';
    const std::size_t end = std::min(text.find_first_of(kBlanks), text.size());
    words += text.substr(0, end);
    text.remove_prefix(end);
  }
}

// The verse that the entry at `at` of `index` describes.
std::string Verse(const File& index, std::size_t at,
                  const std::vector<std::string>& blocks) {
  const std::uint64_t block = Number(index.bytes, at, 4);
  const std::uint64_t offset = Number(index.bytes, at + 4, 4);
  const std::uint64_t size = Number(index.bytes, at + 8, 2);
  if (size == 0) return "";
  if (block >= blocks.size()) {
    index.Refuse(at, "a record of block " + std::to_string(block) +
                         ", and there are " + std::to_string(blocks.size()) +
                         " blocks");
  }
  const std::string_view whole = blocks[block];
  if (offset + size > whole.size()) {
    index.Refuse(at, "a record of " + std::to_string(size) + " bytes at " +
                         std::to_string(offset) + " of block " +
                         std::to_string(block) + ", which has " +
                         std::to_string(whole.size()) + " bytes");
  }
  const std::string_view marked = whole.substr(offset, size);
  if (!IsUtf8(marked)) index.Refuse(at, "the record is not valid UTF-8");
  std::optional<std::string> text = WithoutMarkup(marked);
  if (!text) {
    index.Refuse(at, "a tag, note or title of the record does not end in it");
  }
  Erase(*text, "\u00B6");
  Erase(*text, "\\nd ");
  return SingleBlanks(*text);
}

}  // namespace

std::vector<std::string> ReadSwordModule(const std::filesystem::path& folder) {
  std::vector<std::string> verses;
  for (const std::string part : {"ot", "nt"}) {
    const File index = Open(folder, part + ".bzv", kVerseEntry);
    const std::vector<std::string> blocks = Blocks(folder, part);
    for (std::size_t at = 0; at < index.bytes.size(); at += kVerseEntry) {
      verses.push_back(Verse(index, at, blocks));
    }
  }
  return verses;
}

std::vector<TextPair> ReadSwordPairs(const std::filesystem::path& source,
                                     const std::filesystem::path& target) {
  std::vector<std::string> sources = ReadSwordModule(source);
  std::vector<std::string> targets = ReadSwordModule(target);
  if (sources.size() != targets.size()) {
    throw Error(ErrorCode::kUsage,
                source.string() + ": " + std::to_string(sources.size()) +
                    " records, and " + target.string() + " has " +
                    std::to_string(targets.size()) +
                    "; two modules of one versification are needed");
  }
  std::vector<TextPair> pairs;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].empty() || targets[i].empty()) continue;
    pairs.push_back({std::move(sources[i]), std::move(targets[i]),
                     static_cast<std::int64_t>(i) + 1});
  }
  return pairs;
}

std::filesystem::path SwordFolder(const std::string& module) {
  std::vector<std::string> names;
  for (const Module& known : kModules) {
    names.emplace_back(known.name);
    if (module != known.name) continue;
    std::filesystem::path folder =
        "/usr/share/sword/modules/texts/ztext/" + module;
    std::error_code status;
    if (std::filesystem::is_directory(folder, status)) return folder;
    throw Error(ErrorCode::kNotFound,
                folder.string() + ": no such folder; " + Advice(folder));
  }
  throw Error(
      ErrorCode::kNotFound,
      "no SWORD module '" + module + "' is known" + DidYouMean(module, names));
}

}  // namespace hone
