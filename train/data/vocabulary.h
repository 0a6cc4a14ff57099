#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "train/data/task_options.h"

namespace hone {

// Turns text into token numbers. Immutable; safe to share between threads.
class Vocabulary {
 public:
  virtual ~Vocabulary() = default;
  virtual std::int64_t size() const = 0;
  // The token that stands for what the vocabulary does not know.
  virtual std::int64_t unknown() const { return 0; }
  // At least one token (the unknown token for empty text), at most max_tokens.
  virtual std::vector<std::int64_t> Encode(std::string_view text,
                                           std::int64_t max_tokens) const = 0;
  // The text of token numbers. Vocabularies of words and word pieces put blanks
  // between words and cannot say what an unknown one was.
  virtual std::string Decode(const std::vector<std::int64_t>& tokens) const = 0;
  // The bytes that ParseVocabulary reads back; the same for the same training.
  // One line "hone-vocabulary 1 KIND SHA256", then for `word` and `character`
  // canonical JSON {"words":[...]} by number, for `wordpiece` the same with
  // "fold_case", for `integer` {"size":N}, for `sentencepiece` its model file.
  virtual std::string Serialize() const = 0;
};

// Trained on `texts` alone; options: vocabulary kind, size, file and fold_case.
// Deterministic: one thread, no random draw.
//   word           number 0 is the unknown word, then the most frequent words
//                  (SplitWords) seen at least twice, ties by their bytes
//   sentencepiece  a unigram model (Kudo 2018) over text normalized by NFKC
//   and,
//                  if asked for, case folding
//   character      number 0 is the unknown character, then all Unicode
//                  characters that occur, by code point
//   integer        texts are decimal numbers below vocabulary_size, with blanks
//                  between them; nothing is learned
//   wordpiece      the pieces of vocabulary_file (WordPiece), all of them;
//                  nothing is learned
// The first two may have fewer entries than asked for.
// Throws: Error{kUsage} when SentencePiece needs more entries than allowed, or
// there are more characters than entries, or a text is not of such numbers;
// what ReadWordPieces and WordPiece throw.
std::unique_ptr<Vocabulary> TrainVocabulary(
    const TaskOptions& options, const std::vector<std::string_view>& texts);
// Throws Error{kIntegrity} when the bytes are not a vocabulary of ours: any
// change, damage or cut is noticed by the hash. It does not guard against a
// SentencePiece model that was forged with its hash.
std::unique_ptr<Vocabulary> ParseVocabulary(std::string_view bytes);

}  // namespace hone
