#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hone {

// The pieces of a BERT vocabulary file: one a line, in the order of their
// numbers; lines end with LF or CRLF. Throws: Error{kNotFound}, and
// Error{kUsage} naming file and line of an empty line, a NUL or bytes that are
// not UTF-8.
std::vector<std::string> ReadWordPieces(const std::string& path);

// BERT's tokenizer (Devlin et al. 2019; Wu et al. 2016, 4.1), equal to the one
// in C++ or Rust that Python programs call:
//   1. malformed UTF-8, NUL, U+FFFD and characters of the classes Cc, Cf and Co
//      vanish, all blanks become one kind, and CJK ideographs stand alone;
//   2. with fold_case: canonical decomposition (NFD), marks of the class Mn
//      vanish, and lower case;
//   3. words are cut at blanks, and each punctuation mark is a word of its own:
//      the classes P, and the symbols of ASCII;
//   4. the longest piece that begins a word, then the longest ##piece that goes
//      on, and so on. A word of more than 100 characters, or with a rest that
//      no piece begins, is [UNK] as a whole.
// Names such as [CLS] in a text are text. Classes are those of the installed
// utf8proc, so characters that are newer than another program's tables may be
// read otherwise. Immutable; safe to share between threads.
class WordPiece {
 public:
  // `where` names the source in messages. Throws: Error{kUsage} naming the line
  // of a piece that stands there twice, or saying that one of [UNK], [CLS] and
  // [SEP] is missing.
  WordPiece(std::vector<std::string> pieces, bool fold_case,
            const std::string& where);

  const std::vector<std::string>& pieces() const { return pieces_; }
  bool fold_case() const { return fold_case_; }
  std::int64_t unknown() const { return unknown_; }
  // What BERT reads before and after a text.
  std::int64_t begin() const { return begin_; }
  std::int64_t end() const { return end_; }

  // The first `max_tokens` pieces of a text, perhaps none; [CLS] and [SEP] are
  // not among them.
  std::vector<std::int64_t> Encode(std::string_view text,
                                   std::int64_t max_tokens) const;
  // Pieces with blanks between words.
  std::string Decode(const std::vector<std::int64_t>& tokens) const;

 private:
  std::int64_t Special(const std::string& piece,
                       const std::string& where) const;
  void AppendPieces(const std::u32string& word,
                    std::vector<std::int64_t>& tokens) const;

  std::vector<std::string> pieces_;
  bool fold_case_;
  std::unordered_map<std::string, std::int64_t> numbers_;
  std::int64_t unknown_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
};

}  // namespace hone
