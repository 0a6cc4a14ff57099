#include "train/data/delimited.h"

#include <algorithm>
#include <set>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/json.h"

namespace hone {
namespace {

constexpr std::size_t kMaxLine = std::size_t{16} << 20;

// One record and the line it begins on.
struct Record {
  std::vector<std::string> fields;
  std::int64_t line = 0;
};

class Reader {
 public:
  Reader(const std::filesystem::path& path, std::string bytes)
      : path_(path.string()), bytes_(std::move(bytes)) {
    if (bytes_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  bool AtEnd() const { return at_ >= bytes_.size(); }

  [[noreturn]] void Refuse(std::int64_t line, const std::string& what) const {
    throw Error(ErrorCode::kUsage,
                path_ + ":" + std::to_string(line) + ": " + what);
  }

  // The next line without its end, checked.
  std::string_view Line() {
    const std::size_t end = std::min(bytes_.find('\n', at_), bytes_.size());
    std::string_view line(bytes_.data() + at_, end - at_);
    at_ = end + 1;
    ++line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    CheckBytes(line, line_);
    return line;
  }

  Record TabSeparated() {
    Record record;
    std::string_view line = Line();
    record.line = line_;
    while (true) {
      const std::size_t tab = line.find('\t');
      record.fields.emplace_back(line.substr(0, tab));
      if (tab == std::string_view::npos) return record;
      line.remove_prefix(tab + 1);
    }
  }

  Record CommaSeparated() {
    Record record;
    record.line = line_ + 1;
    while (true) {
      record.fields.push_back(bytes_[std::min(at_, bytes_.size() - 1)] == '"' &&
                                      !AtEnd()
                                  ? Quoted(record.line)
                                  : Unquoted());
      CheckBytes(record.fields.back(), record.line);
      if (AtEnd() || bytes_[at_] == '\n') break;
      ++at_;  // the comma
    }
    ++at_;
    ++line_;
    return record;
  }

  std::int64_t line() const { return line_; }

 private:
  void CheckBytes(std::string_view text, std::int64_t line) const {
    if (text.size() > kMaxLine) Refuse(line, "longer than 16 MiB");
    if (text.find('\0') != std::string_view::npos) {
      Refuse(line, "holds a NUL byte; a text file is needed");
    }
    if (!IsUtf8(text)) Refuse(line, "is not valid UTF-8");
  }

  std::string Unquoted() {
    std::string field;
    while (!AtEnd() && bytes_[at_] != ',' && bytes_[at_] != '\n') {
      if (bytes_[at_] == '"') {
        Refuse(line_ + 1,
               "a quote inside an unquoted field; quote the whole field and "
               "double the quote");
      }
      field += bytes_[at_++];
    }
    if (field.ends_with('\r') && (AtEnd() || bytes_[at_] == '\n')) {
      field.pop_back();
    }
    return field;
  }

  std::string Quoted(std::int64_t first_line) {
    std::string field;
    for (++at_; !AtEnd(); ++at_) {
      const char c = bytes_[at_];
      if (c == '\n') ++line_;
      if (c != '"') {
        field += c;
      } else if (bytes_.compare(at_, 2, "\"\"") == 0) {
        field += '"';
        ++at_;
      } else {
        ++at_;
        if (!AtEnd() && bytes_[at_] == '\r') ++at_;
        if (!AtEnd() && bytes_[at_] != ',' && bytes_[at_] != '\n') {
          Refuse(line_ + 1, "text after a closing quote");
        }
        return field;
      }
    }
    Refuse(first_line, "an unterminated quote");
  }

  std::string path_;
  std::string bytes_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0;
};

std::size_t ColumnOf(const Reader& reader,
                     const std::vector<std::string>& columns,
                     const std::string& wanted) {
  const auto found = std::find(columns.begin(), columns.end(), wanted);
  if (found == columns.end()) {
    reader.Refuse(1,
                  "no column '" + wanted + "'" + DidYouMean(wanted, columns));
  }
  return static_cast<std::size_t>(found - columns.begin());
}

void CheckRow(const Reader& reader, const LabelledRow& row) {
  if (row.text.find_first_not_of(" \t") == std::string::npos) {
    reader.Refuse(row.line, "the text is empty");
  }
  if (row.label.empty()) reader.Refuse(row.line, "the label is empty");
}

std::vector<LabelledRow> ReadTable(Reader& reader, bool commas,
                                   const std::string& text_column,
                                   const std::string& label_column) {
  const auto next = [&] {
    return commas ? reader.CommaSeparated() : reader.TabSeparated();
  };
  if (reader.AtEnd()) reader.Refuse(1, "the file is empty");
  const std::vector<std::string> columns = next().fields;
  const std::set<std::string> distinct(columns.begin(), columns.end());
  if (distinct.size() != columns.size()) {
    reader.Refuse(1, "two columns have one name");
  }
  const std::size_t text = ColumnOf(reader, columns, text_column);
  const std::size_t label = ColumnOf(reader, columns, label_column);
  std::vector<LabelledRow> rows;
  while (!reader.AtEnd()) {
    const Record record = next();
    if (record.fields.size() != columns.size()) {
      reader.Refuse(record.line, std::to_string(record.fields.size()) +
                                     " fields; the header has " +
                                     std::to_string(columns.size()));
    }
    rows.push_back({record.fields[text], record.fields[label], record.line});
    CheckRow(reader, rows.back());
  }
  return rows;
}

std::vector<LabelledRow> ReadJsonLines(Reader& reader, const std::string& path,
                                       const std::string& text_column,
                                       const std::string& label_column) {
  std::vector<LabelledRow> rows;
  while (!reader.AtEnd()) {
    const std::string_view line = reader.Line();
    const std::int64_t number = reader.line();
    const Json object = ParseJson(line, path + ":" + std::to_string(number));
    const auto get = [&](const std::string& key) {
      if (!object.is_object() || !object.contains(key) ||
          !object[key].is_string()) {
        reader.Refuse(number,
                      "an object with a string '" + key + "' is needed");
      }
      return object[key].get<std::string>();
    };
    rows.push_back({get(text_column), get(label_column), number});
    CheckRow(reader, rows.back());
  }
  return rows;
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return static_cast<unsigned char>(bytes[i]);
  };
  for (std::size_t i = 0; i < bytes.size();) {
    const unsigned first = at(i);
    const std::size_t length = first < 0x80             ? 1
                               : (first & 0xE0) == 0xC0 ? 2
                               : (first & 0xF0) == 0xE0 ? 3
                               : (first & 0xF8) == 0xF0 ? 4
                                                        : 0;
    if (length == 0 || i + length > bytes.size()) return false;
    unsigned code = length == 1 ? first : first & (0x7Fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      if ((at(i + k) & 0xC0) != 0x80) return false;
      code = code << 6 | (at(i + k) & 0x3F);
    }
    constexpr unsigned kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[length] || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF)) {
      return false;
    }
    i += length;
  }
  return true;
}

std::vector<LabelledRow> ReadLabelledRows(const std::filesystem::path& path,
                                          const std::string& text_column,
                                          const std::string& label_column) {
  const std::string extension = path.extension().string();
  if (extension != ".tsv" && extension != ".csv" && extension != ".jsonl") {
    throw Error(ErrorCode::kUsage, path.string() +
                                       ": unknown kind of file; use .tsv, "
                                       ".csv or .jsonl");
  }
  Reader reader(path, ReadFile(path));
  std::vector<LabelledRow> rows =
      extension == ".jsonl"
          ? ReadJsonLines(reader, path.string(), text_column, label_column)
          : ReadTable(reader, extension == ".csv", text_column, label_column);
  if (rows.empty()) reader.Refuse(1, "holds no examples");
  return rows;
}

}  // namespace hone
