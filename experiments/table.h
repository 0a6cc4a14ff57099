#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace hone {

// Rows of text cells, to be shown to people or programs.
struct Table {
  struct Column {
    std::string title;
    bool right = false;      // aligned, for numbers
    std::size_t widest = 0;  // longer cells are wrapped; 0: none is
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;

  // Requires: as many cells as columns.
  void AddRow(std::vector<std::string> cells);
};

// At most 80 columns: the last column is wrapped at blanks into what the others
// leave, others to their own widths, and the widest further where all together
// are too wide. Control characters are dropped, so
// that a stored text cannot drive the terminal.
std::string ToText(const Table& table);

// RFC 4180 with a header. A cell that begins with = + - @ and is no number is
// prefixed by ', so that a spreadsheet does not take it for a formula.
std::string ToCsv(const Table& table);

// A text without control characters.
std::string Printable(const std::string& text);

}  // namespace hone
