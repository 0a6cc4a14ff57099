#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hone {

// A text and its translation.
struct TextPair {
  std::string source;
  std::string target;
  std::int64_t line = 0;  // where it begins, from 1
};

// Reads two UTF-8 files of which line i of one translates line i of the other.
// A byte order mark and the line ends (LF or CRLF) are dropped.
// Throws: Error{kUsage} naming file and line: files with different numbers of
// lines (names both numbers), an empty line, invalid UTF-8, a NUL byte, a line
// above 16 MiB, no lines at all; Error{kNotFound} naming the file.
std::vector<TextPair> ReadLinePairs(const std::filesystem::path& source_path,
                                    const std::filesystem::path& target_path);

// Reads the pairs of two columns of a .tsv, .csv or .jsonl file, whose formats
// and errors are those of ReadLabelledRows (train/data/delimited.h).
std::vector<TextPair> ReadPairRows(const std::filesystem::path& path,
                                   const std::string& source_column,
                                   const std::string& target_column);

// The UTF-8 files one after the other, without their byte order marks and with
// nothing between them.
// Throws: Error{kUsage} naming file and byte offset: invalid UTF-8, a NUL byte,
// an empty file; or no files; Error{kNotFound} naming the file.
std::string ReadTextFiles(const std::vector<std::filesystem::path>& paths);

}  // namespace hone
