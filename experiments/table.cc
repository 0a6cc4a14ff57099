#include "experiments/table.h"

#include <algorithm>
#include <cstdlib>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kNarrowest = 20;  // of the last column
constexpr std::size_t kLeast = 8;       // of the others
constexpr std::size_t kGap = 2;

bool IsNumber(const std::string& cell) {
  char* end = nullptr;
  std::strtod(cell.c_str(), &end);
  return end == cell.c_str() + cell.size();
}

std::vector<std::string> Wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::string rest = text;
  while (rest.size() > width) {
    std::size_t cut = rest.rfind(' ', width);
    if (cut == std::string::npos || cut == 0) cut = width;
    lines.push_back(rest.substr(0, cut));
    rest.erase(0, rest[cut] == ' ' ? cut + 1 : cut);
  }
  lines.push_back(rest);
  return lines;
}

std::string Pad(const std::string& text, std::size_t width, bool right) {
  const std::string blanks(width - std::min(width, text.size()), ' ');
  return right ? blanks + text : text + blanks;
}

std::vector<std::size_t> Widths(
    const std::vector<Table::Column>& columns,
    const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(columns.size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].widest > 0) {
      widths[i] = std::min(widths[i], columns[i].widest);
    }
  }
  // Where the others leave the last no room, the widest of them give way.
  const std::size_t last = std::min(widths.back(), kNarrowest);
  std::size_t used = 0;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) used += widths[i] + kGap;
  while (used + last > kWidth) {
    const auto widest = std::max_element(widths.begin(), widths.end() - 1);
    if (*widest <= kLeast) break;
    --*widest;
    --used;
  }
  widths.back() =
      std::min(widths.back(), std::max(last, kWidth - std::min(used, kWidth)));
  return widths;
}

std::string CsvCell(const std::string& cell) {
  std::string text = cell;
  const bool formula =
      !text.empty() &&
      std::string("=+-@\t\r").find(text[0]) != std::string::npos &&
      !IsNumber(text);
  if (formula) text.insert(0, "'");
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + '"';
}

}  // namespace

void Table::AddRow(std::vector<std::string> cells) {
  HONE_CHECK_EQ(cells.size(), columns.size());
  rows.push_back(std::move(cells));
}

std::string Printable(const std::string& text) {
  std::string clean;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto code = static_cast<unsigned char>(text[i]);
    const bool c1 = code == 0xc2 && i + 1 < text.size() &&
                    static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1) {
      ++i;
    } else if (code >= 0x20 && code != 0x7f) {
      clean += text[i];
    }
  }
  return clean;
}

std::string ToText(const Table& table) {
  std::vector<std::vector<std::string>> rows(1);
  for (const Table::Column& column : table.columns) {
    rows[0].push_back(column.title);
  }
  for (const auto& row : table.rows) {
    rows.emplace_back();
    for (const std::string& cell : row) rows.back().push_back(Printable(cell));
  }
  const std::vector<std::size_t> widths = Widths(table.columns, rows);
  std::string out;
  for (const auto& row : rows) {
    std::vector<std::vector<std::string>> cells;
    std::size_t lines = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back(Wrap(row[i], widths[i]));
      lines = std::max(lines, cells.back().size());
    }
    for (std::size_t k = 0; k < lines; ++k) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (i > 0) line += std::string(kGap, ' ');
        line += Pad(k < cells[i].size() ? cells[i][k] : "", widths[i],
                    table.columns[i].right);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
  }
  return out;
}

std::string ToCsv(const Table& table) {
  std::string out;
  const auto add = [&out](const auto& cells, auto text_of) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      out += (i > 0 ? "," : "") + CsvCell(text_of(cells[i]));
    }
    out += "\r\n";
  };
  add(table.columns, [](const Table::Column& column) { return column.title; });
  for (const auto& row : table.rows) {
    add(row, [](const std::string& cell) { return cell; });
  }
  return out;
}

}  // namespace hone
