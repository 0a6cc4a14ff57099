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

// Reads .tsv (no quoting), .csv (RFC 4180: quotes, quoted line breaks, CRLF) or
// .jsonl (one object a line, string values). The first row of .tsv and .csv
// names the columns; docs/data.md describes the formats. A byte order mark is
// skipped. Other columns are ignored, but checked.
// Throws: Error{kUsage} naming file and line: a row with another number of
// fields, an empty text or label, invalid UTF-8, a NUL byte, a line (of CSV: a
// row) above 16 MiB, an unterminated quote, a duplicate or missing column, no
// rows at all; Error{kNotFound} naming the file.
std::vector<LabelledRow> ReadLabelledRows(const std::filesystem::path& path,
                                          const std::string& text_column,
                                          const std::string& label_column);

}  // namespace hone
