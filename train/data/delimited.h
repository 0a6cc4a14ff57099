#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hone {

// A row of a person's own file, before its label is a class number.
struct LabelledRow {
  std::string text;
  std::string label;
  std::int64_t line = 0;  // where the row begins, from 1
};

// A column that a reader wants, and what messages call a value of it.
struct WantedColumn {
  std::string what;  // "text" in "the text is empty"
  std::string name;
};

// The values of the wanted columns, in the order they were asked for.
struct Row {
  std::vector<std::string> values;
  std::int64_t line = 0;  // where the row begins, from 1
};

// Reads .tsv (no quoting), .csv (RFC 4180: quotes, quoted line breaks, CRLF) or
// .jsonl (one object a line, string values). The first row of .tsv and .csv
// names the columns; docs/data.md describes the formats. A byte order mark is
// skipped. Other columns are ignored, but checked.
// Throws: Error{kUsage} naming file and line: a row with another number of
// fields, an empty value of a wanted column, invalid UTF-8, a NUL byte, a line
// (of CSV: a row) above 16 MiB, an unterminated quote, a duplicate or missing
// column, no rows at all; Error{kNotFound} naming the file.
std::vector<Row> ReadColumns(const std::filesystem::path& path,
                             const std::vector<WantedColumn>& wanted);

// The same for a text and its label.
std::vector<LabelledRow> ReadLabelledRows(const std::filesystem::path& path,
                                          const std::string& text_column,
                                          const std::string& label_column);

// The lines of a UTF-8 file without their ends (LF or CRLF) and without its
// byte order mark; they may be empty. Throws: Error{kUsage} naming file and
// line: invalid UTF-8, a NUL byte, a line above 16 MiB, an empty file;
// Error{kNotFound} naming the file.
std::vector<std::string> ReadLines(const std::filesystem::path& path);

// Whether the text holds nothing but blanks and line ends.
bool IsBlank(const std::string& text);

}  // namespace hone
