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
// names the columns. A byte order mark is skipped.
// Throws Error{kUsage} naming file and line: a row with another number of
// fields, an empty text or label, invalid UTF-8, a NUL byte, a line above
// 16 MiB, an unterminated quote, a duplicate or missing column.
std::vector<LabelledRow> ReadLabelledRows(const std::filesystem::path& path,
                                          const std::string& text_column,
                                          const std::string& label_column);

// Whether the bytes are well-formed UTF-8 (RFC 3629).
bool IsUtf8(std::string_view bytes);

}  // namespace hone
