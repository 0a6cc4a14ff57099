#include "train/data/delimited.h"

#include <algorithm>
#include <utility>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/json.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

constexpr std::size_t kMaxLine = std::size_t{16} << 20;

// One row and the line it begins on.
struct Record {
  std::vector<std::string> fields;
  std::int64_t line = 0;
};

// Walks over a file and knows where it is.
class Reader {
 public:
  Reader(const std::filesystem::path& path, std::string bytes)
      : path_(path.string()), bytes_(std::move(bytes)) {
    if (bytes_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  bool AtEnd() const { return at_ >= bytes_.size(); }
  // Of the line that the next byte is on.
  std::int64_t line() const { return line_; }

  std::string Where(std::int64_t line) const {
    return path_ + ":" + std::to_string(line);
  }
  [[noreturn]] void Refuse(std::int64_t line, const std::string& what) const {
    throw Error(ErrorCode::kUsage, Where(line) + ": " + what);
  }

  // The next line without its end, checked.
  std::string_view Line() {
    const std::size_t end = std::min(bytes_.find('\n', at_), bytes_.size());
    std::string_view line(bytes_.data() + at_, end - at_);
    CheckBytes(line, line_);
    at_ = end + 1;
    ++line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  Record TabSeparated() {
    Record record{{}, line_};
    std::string_view line = Line();
    while (true) {
      const std::size_t tab = line.find('\t');
      record.fields.emplace_back(line.substr(0, tab));
      if (tab == std::string_view::npos) return record;
      line.remove_prefix(tab + 1);
    }
  }

  Record CommaSeparated() {
    Record record{{}, line_};
    const std::size_t begin = at_;
    while (true) {
      record.fields.push_back(At('"') ? Quoted(record.line) : Unquoted());
      if (!At(',')) break;
      ++at_;
    }
    CheckBytes(std::string_view(bytes_).substr(begin, at_ - begin),
               record.line);
    SkipLineEnd();
    return record;
  }

 private:
  bool At(char c) const { return !AtEnd() && bytes_[at_] == c; }
  bool AtLineEnd() const {
    return AtEnd() || At('\n') || bytes_.compare(at_, 2, "\r\n") == 0 ||
           (At('\r') && at_ + 1 == bytes_.size());
  }
  void SkipLineEnd() {
    if (At('\r')) ++at_;
    ++at_;
    ++line_;
  }

  void CheckBytes(std::string_view text, std::int64_t line) const {
    if (text.size() > kMaxLine) Refuse(line, "longer than 16 MiB");
    if (text.find('\0') != std::string_view::npos) {
      Refuse(line, "holds a NUL byte; a text file is needed");
    }
    if (!IsUtf8(text)) {
      Refuse(line, "is not valid UTF-8; save the file as UTF-8");
    }
  }

  std::string Unquoted() {
    const std::size_t begin = at_;
    for (; !At(',') && !AtLineEnd(); ++at_) {
      if (At('"')) {
        Refuse(line_,
               "a quote inside an unquoted field; quote the whole field and "
               "double the quote");
      }
    }
    return bytes_.substr(begin, at_ - begin);
  }

  std::string Quoted(std::int64_t first_line) {
    std::string field;
    for (++at_; !AtEnd(); ++at_) {
      if (field.size() > kMaxLine) Refuse(first_line, "longer than 16 MiB");
      if (bytes_.compare(at_, 2, "\"\"") == 0) {
        ++at_;
      } else if (At('"')) {
        ++at_;
        if (!At(',') && !AtLineEnd()) {
          Refuse(line_, "text after a closing quote");
        }
        return field;
      }
      if (At('\n')) ++line_;
      field += bytes_[at_];
    }
    Refuse(first_line, "an unterminated quote");
  }

  std::string path_;
  std::string bytes_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

using Wanted = std::vector<WantedColumn>;

Row Checked(const Reader& reader, const Wanted& wanted, Row row) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (row.values[i].find('\0') != std::string::npos) {
      reader.Refuse(row.line, "holds a NUL character");
    }
    if (IsBlank(row.values[i])) {
      reader.Refuse(row.line, "the " + wanted[i].what + " is empty");
    }
  }
  return row;
}

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

void CheckDistinct(const Reader& reader, std::vector<std::string> columns) {
  std::sort(columns.begin(), columns.end());
  const auto twice = std::adjacent_find(columns.begin(), columns.end());
  if (twice != columns.end()) {
    reader.Refuse(1, "two columns are named '" + *twice + "'");
  }
}

void CheckFields(const Reader& reader, const Record& record,
                 std::size_t columns) {
  const std::size_t fields = record.fields.size();
  if (fields == columns) return;
  if (fields == 1 && record.fields[0].empty()) {
    reader.Refuse(record.line, "an empty line");
  }
  reader.Refuse(record.line, std::to_string(fields) +
                                 (fields == 1 ? " field" : " fields") +
                                 "; the header has " + std::to_string(columns));
}

std::vector<Row> ReadTable(Reader& reader, bool commas, const Wanted& wanted) {
  const auto next = [&] {
    return commas ? reader.CommaSeparated() : reader.TabSeparated();
  };
  const std::vector<std::string> columns = next().fields;
  CheckDistinct(reader, columns);
  std::vector<std::size_t> places;
  for (const WantedColumn& column : wanted) {
    places.push_back(ColumnOf(reader, columns, column.name));
  }
  std::vector<Row> rows;
  while (!reader.AtEnd()) {
    Record record = next();
    CheckFields(reader, record, columns.size());
    Row row{{}, record.line};
    for (const std::size_t place : places) {
      row.values.push_back(std::move(record.fields[place]));
    }
    rows.push_back(Checked(reader, wanted, std::move(row)));
  }
  return rows;
}

// The string under `key` of an object on `line`.
std::string StringOf(const Reader& reader, std::int64_t line, const Json& json,
                     const std::string& key) {
  if (!json.is_object()) {
    reader.Refuse(line, "a JSON object is needed, such as {\"text\": \"...\"}");
  }
  const auto found = json.find(key);
  if (found == json.end()) {
    std::vector<std::string> keys;
    for (const auto& item : json.items()) keys.push_back(item.key());
    reader.Refuse(line, "no key '" + key + "'" + DidYouMean(key, keys));
  }
  if (!found->is_string()) {
    reader.Refuse(line, "'" + key + "' is no string; write it in quotes");
  }
  return found->get<std::string>();
}

std::vector<Row> ReadJsonLines(Reader& reader, const Wanted& wanted) {
  std::vector<Row> rows;
  while (!reader.AtEnd()) {
    Row row{{}, reader.line()};
    const std::string_view text = reader.Line();
    if (text.empty()) reader.Refuse(row.line, "an empty line");
    const Json json = ParseJson(text, reader.Where(row.line));
    for (const WantedColumn& column : wanted) {
      row.values.push_back(StringOf(reader, row.line, json, column.name));
    }
    rows.push_back(Checked(reader, wanted, std::move(row)));
  }
  return rows;
}

Reader Open(const std::filesystem::path& path) {
  Reader reader(path, ReadFile(path));
  if (reader.AtEnd()) reader.Refuse(1, "the file is empty");
  return reader;
}

}  // namespace

bool IsBlank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

std::vector<Row> ReadColumns(const std::filesystem::path& path,
                             const std::vector<WantedColumn>& wanted) {
  const std::string extension = path.extension().string();
  if (extension != ".tsv" && extension != ".csv" && extension != ".jsonl") {
    throw Error(ErrorCode::kUsage, path.string() +
                                       ": unknown kind of file; use .tsv, "
                                       ".csv or .jsonl");
  }
  Reader reader = Open(path);
  std::vector<Row> rows = extension == ".jsonl"
                              ? ReadJsonLines(reader, wanted)
                              : ReadTable(reader, extension == ".csv", wanted);
  if (rows.empty()) reader.Refuse(1, "holds no examples");
  return rows;
}

std::vector<LabelledRow> ReadLabelledRows(const std::filesystem::path& path,
                                          const std::string& text_column,
                                          const std::string& label_column) {
  if (text_column == label_column) {
    throw Error(ErrorCode::kUsage,
                "task.label_column: '" + label_column +
                    "' is the text column too; name another column");
  }
  std::vector<LabelledRow> rows;
  for (Row& row :
       ReadColumns(path, {{"text", text_column}, {"label", label_column}})) {
    rows.push_back(
        {std::move(row.values[0]), std::move(row.values[1]), row.line});
  }
  return rows;
}

std::vector<std::string> ReadLines(const std::filesystem::path& path) {
  Reader reader = Open(path);
  std::vector<std::string> lines;
  while (!reader.AtEnd()) lines.emplace_back(reader.Line());
  return lines;
}

}  // namespace hone
