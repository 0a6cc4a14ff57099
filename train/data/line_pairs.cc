#include "train/data/line_pairs.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "space/base/error.h"
#include "space/base/file.h"
#include "train/data/delimited.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

[[noreturn]] void Refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kUsage, where + ": " + what);
}

}  // namespace

std::vector<TextPair> ReadLinePairs(const std::filesystem::path& source_path,
                                    const std::filesystem::path& target_path) {
  std::vector<std::string> sources = ReadLines(source_path);
  std::vector<std::string> targets = ReadLines(target_path);
  if (sources.size() != targets.size()) {
    Refuse(source_path.string() + ":" +
               std::to_string(std::min(sources.size(), targets.size()) + 1),
           std::to_string(sources.size()) + " lines, and " +
               target_path.string() + " has " + std::to_string(targets.size()) +
               "; line by line, one must translate the other");
  }
  std::vector<TextPair> pairs;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::string line = ":" + std::to_string(i + 1);
    const std::string advice = "an empty line; drop the line of both files";
    if (IsBlank(sources[i])) Refuse(source_path.string() + line, advice);
    if (IsBlank(targets[i])) Refuse(target_path.string() + line, advice);
    pairs.push_back({std::move(sources[i]), std::move(targets[i]),
                     static_cast<std::int64_t>(i) + 1});
  }
  return pairs;
}

std::vector<TextPair> ReadPairRows(const std::filesystem::path& path,
                                   const std::string& source_column,
                                   const std::string& target_column) {
  if (source_column == target_column) {
    Refuse(path.string(), "'" + source_column +
                              "' is named as the column of the source and of "
                              "the target; name two");
  }
  std::vector<TextPair> pairs;
  for (Row& row : ReadColumns(
           path, {{"source", source_column}, {"target", target_column}})) {
    pairs.push_back(
        {std::move(row.values[0]), std::move(row.values[1]), row.line});
  }
  return pairs;
}

std::string ReadTextFiles(const std::vector<std::filesystem::path>& paths) {
  if (paths.empty()) Refuse("no text files", "name at least one");
  std::string text;
  for (const std::filesystem::path& path : paths) {
    const std::string bytes = ReadFile(path);
    const auto refuse = [&](std::size_t at, const std::string& what) {
      Refuse(path.string() + ": byte " + std::to_string(at), what);
    };
    const std::size_t mark = bytes.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    if (bytes.size() == mark) refuse(mark, "the file is empty");
    const std::size_t valid = Utf8Prefix(bytes);
    const std::size_t nul = bytes.find('\0');
    if (nul < valid) refuse(nul, "a NUL byte; a text file is needed");
    if (valid < bytes.size()) {
      refuse(valid, "not valid UTF-8; save the file as UTF-8");
    }
    text.append(bytes, mark);
  }
  return text;
}

}  // namespace hone
