#include "train/data/wordpiece.h"

#include <algorithm>
#include <iterator>

#include <utf8proc.h>

#include "space/base/error.h"
#include "space/base/file.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

constexpr std::size_t kMostCharacters = 100;
constexpr char kGoesOn[] = "##";

struct Range {
  char32_t first;
  char32_t last;
};
// The blocks of ideographs that BERT sets apart.
constexpr Range kIdeographs[] = {
    {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
    {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
    {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F},
};

utf8proc_category_t CategoryOf(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool IsBlank(char32_t c) {
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return true;
  const utf8proc_category_t category = CategoryOf(c);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

bool IsDropped(char32_t c) {
  if (c == 0xFFFD) return true;
  const utf8proc_category_t category = CategoryOf(c);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_CO;
}

bool IsIdeograph(char32_t c) {
  return std::any_of(
      std::begin(kIdeographs), std::end(kIdeographs),
      [c](const Range& range) { return c >= range.first && c <= range.last; });
}

bool IsPunctuation(char32_t c) {
  if (c < 0x80) {
    return (c >= 0x21 && c <= 0x2F) || (c >= 0x3A && c <= 0x40) ||
           (c >= 0x5B && c <= 0x60) || (c >= 0x7B && c <= 0x7E);
  }
  const utf8proc_category_t category = CategoryOf(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

// Step 1.
std::u32string Clean(std::string_view text) {
  std::u32string clean;
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    text.remove_prefix(point.bytes);
    if (IsBlank(point.value)) {
      clean += U' ';
    } else if (IsIdeograph(point.value)) {
      clean += {U' ', point.value, U' '};
    } else if (!IsDropped(point.value)) {
      clean += point.value;
    }
  }
  return clean;
}

// Step 2.
std::u32string Fold(const std::u32string& text) {
  std::string bytes;
  for (const char32_t c : text) bytes += EncodeUtf8(c);
  const auto decompose = [&](std::vector<utf8proc_int32_t>& into) {
    return utf8proc_decompose(
        reinterpret_cast<const utf8proc_uint8_t*>(bytes.data()),
        static_cast<utf8proc_ssize_t>(bytes.size()), into.data(),
        static_cast<utf8proc_ssize_t>(into.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE));
  };
  std::vector<utf8proc_int32_t> points(2 * text.size() + 16);
  utf8proc_ssize_t count = decompose(points);
  if (count > static_cast<utf8proc_ssize_t>(points.size())) {
    points.resize(static_cast<std::size_t>(count));
    count = decompose(points);
  }
  HONE_CHECK_LE(0, count);
  points.resize(static_cast<std::size_t>(count));
  std::u32string folded;
  for (const utf8proc_int32_t point : points) {
    if (utf8proc_category(point) == UTF8PROC_CATEGORY_MN) continue;
    folded += static_cast<char32_t>(utf8proc_tolower(point));
  }
  return folded;
}

[[noreturn]] void RefuseLine(const std::string& where, std::size_t line,
                             const std::string& what) {
  throw Error(ErrorCode::kUsage,
              where + ":" + std::to_string(line) + ": " + what);
}

}  // namespace

std::vector<std::string> ReadWordPieces(const std::string& path) {
  const std::string bytes = ReadFile(path);
  std::vector<std::string> pieces;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t end = std::min(bytes.find('\n', at), bytes.size());
    std::string piece = bytes.substr(at, end - at);
    at = end + 1;
    const std::size_t line = pieces.size() + 1;
    if (piece.ends_with('\r')) piece.pop_back();
    if (piece.empty()) {
      RefuseLine(path, line, "empty; a vocabulary has one piece a line");
    }
    if (!IsUtf8(piece) || piece.find('\0') != std::string::npos) {
      RefuseLine(path, line,
                 "not UTF-8 text; use the vocab.txt of a BERT checkpoint");
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

WordPiece::WordPiece(std::vector<std::string> pieces, bool fold_case,
                     const std::string& where)
    : pieces_(std::move(pieces)), fold_case_(fold_case) {
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const auto [found, fresh] =
        numbers_.emplace(pieces_[i], static_cast<std::int64_t>(i));
    if (fresh) continue;
    RefuseLine(where, i + 1,
               "the piece '" + pieces_[i] + "' stands on line " +
                   std::to_string(found->second + 1) + " already");
  }
  unknown_ = Special("[UNK]", where);
  begin_ = Special("[CLS]", where);
  end_ = Special("[SEP]", where);
}

std::int64_t WordPiece::Special(const std::string& piece,
                                const std::string& where) const {
  const auto found = numbers_.find(piece);
  if (found != numbers_.end()) return found->second;
  throw Error(ErrorCode::kUsage,
              where + ": no piece " + piece + " among " +
                  std::to_string(pieces_.size()) +
                  "; use the vocab.txt of a BERT checkpoint");
}

std::vector<std::int64_t> WordPiece::Encode(std::string_view text,
                                            std::int64_t max_tokens) const {
  std::u32string clean = Clean(text);
  if (fold_case_) clean = Fold(clean);
  std::vector<std::int64_t> tokens;
  std::u32string word;
  const auto end_word = [&] {
    AppendPieces(word, tokens);
    word.clear();
  };
  for (const char32_t c : clean) {
    if (static_cast<std::int64_t>(tokens.size()) >= max_tokens) break;
    const bool mark = IsPunctuation(c);
    if (mark || IsBlank(c)) end_word();
    if (mark) {
      word = c;
      end_word();
    } else if (!IsBlank(c)) {
      word += c;
    }
  }
  end_word();
  const auto most = static_cast<std::size_t>(max_tokens);
  if (tokens.size() > most) tokens.resize(most);
  return tokens;
}

void WordPiece::AppendPieces(const std::u32string& word,
                             std::vector<std::int64_t>& tokens) const {
  if (word.empty()) return;
  const std::size_t before = tokens.size();
  std::string rest;
  std::vector<std::size_t> ends;  // of characters, in bytes
  for (const char32_t c : word) {
    rest += EncodeUtf8(c);
    ends.push_back(rest.size());
  }
  std::size_t begin = 0;
  bool known = word.size() <= kMostCharacters;
  while (known && begin < rest.size()) {
    known = false;
    const std::string prefix = begin == 0 ? "" : kGoesOn;
    for (auto end = ends.rbegin(); end != ends.rend() && *end > begin; ++end) {
      const auto found =
          numbers_.find(prefix + rest.substr(begin, *end - begin));
      if (found == numbers_.end()) continue;
      tokens.push_back(found->second);
      begin = *end;
      known = true;
      break;
    }
  }
  if (known) return;
  tokens.resize(before);
  tokens.push_back(unknown_);
}

std::string WordPiece::Decode(const std::vector<std::int64_t>& tokens) const {
  std::string text;
  for (const std::int64_t token : tokens) {
    const std::string& piece = pieces_.at(static_cast<std::size_t>(token));
    if (piece.starts_with(kGoesOn) && !text.empty()) {
      text += piece.substr(2);
    } else {
      text += (text.empty() ? "" : " ") + piece;
    }
  }
  return text;
}

}  // namespace hone
