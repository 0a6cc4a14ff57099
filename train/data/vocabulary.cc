#include "train/data/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include "space/base/error.h"
#include "space/base/hash.h"
#include "space/base/json.h"
#include "train/data/utf8.h"
#include "train/data/wordpiece.h"
#include "train/data/words.h"

namespace hone {
namespace {

constexpr char kUnknown[] = "<unknown>";
constexpr std::int64_t kAllWords = std::numeric_limits<std::int64_t>::max();
// SentencePiece's own bound of 4192 would leave longer texts out of training.
constexpr int kMaxSentenceBytes = 1 << 24;
constexpr char kFormat[] = "hone-vocabulary 1 ";
constexpr char kWordKind[] = "word";
constexpr char kPieceKind[] = "sentencepiece";
constexpr char kCharacterKind[] = "character";
constexpr char kIntegerKind[] = "integer";
constexpr char kWordPieceKind[] = "wordpiece";

[[noreturn]] void RefuseBytes(const std::string& what) {
  throw Error(ErrorCode::kIntegrity, "not a vocabulary of ours: " + what);
}

// What stands before the content of a serialized vocabulary. With the hash no
// damaged model reaches SentencePiece, which trusts what it is given.
std::string WithHeader(const std::string& kind, std::string_view content) {
  std::string bytes = kFormat + kind + " " + Sha256(content) + "\n";
  bytes += content;
  return bytes;
}

class WordVocabulary : public Vocabulary {
 public:
  explicit WordVocabulary(std::vector<std::string> words)
      : words_(std::move(words)) {
    if (words_.empty() || words_[0] != kUnknown) {
      RefuseBytes("the first word is not " + std::string(kUnknown));
    }
    for (const std::string& word : words_) {
      if (!numbers_.emplace(word, numbers_.size()).second) {
        RefuseBytes("the word '" + word + "' stands in it twice");
      }
    }
  }

  std::int64_t size() const override {
    return static_cast<std::int64_t>(words_.size());
  }

  std::vector<std::int64_t> Encode(std::string_view text,
                                   std::int64_t max_tokens) const override {
    std::vector<std::int64_t> tokens;
    for (const std::string& word : SplitWords(text, max_tokens)) {
      const auto found = numbers_.find(word);
      tokens.push_back(found == numbers_.end() ? 0 : found->second);
    }
    if (tokens.empty()) tokens.push_back(0);
    return tokens;
  }

  std::string Decode(const std::vector<std::int64_t>& tokens) const override {
    std::string text;
    for (const std::int64_t token : tokens) {
      text += (text.empty() ? "" : " ") +
              words_.at(static_cast<std::size_t>(token));
    }
    return text;
  }

  std::string Serialize() const override {
    return WithHeader(kWordKind, CanonicalJson(Json{{"words", words_}}));
  }

 private:
  std::vector<std::string> words_;  // the first is the unknown word
  std::unordered_map<std::string, std::int64_t> numbers_;
};

class CharacterVocabulary : public Vocabulary {
 public:
  explicit CharacterVocabulary(std::vector<std::string> characters)
      : characters_(std::move(characters)) {
    if (characters_.empty() || characters_[0] != kUnknown) {
      RefuseBytes("the first character is not " + std::string(kUnknown));
    }
    for (const std::string& character : characters_) {
      numbers_.emplace(character, numbers_.size());
    }
  }

  std::int64_t size() const override {
    return static_cast<std::int64_t>(characters_.size());
  }

  std::vector<std::int64_t> Encode(std::string_view text,
                                   std::int64_t max_tokens) const override {
    std::vector<std::int64_t> tokens;
    for (const std::string_view one : SplitCharacters(text)) {
      if (static_cast<std::int64_t>(tokens.size()) == max_tokens) break;
      const auto found = numbers_.find(std::string(one));
      tokens.push_back(found == numbers_.end() ? 0 : found->second);
    }
    if (tokens.empty()) tokens.push_back(0);
    return tokens;
  }

  std::string Decode(const std::vector<std::int64_t>& tokens) const override {
    std::string text;
    for (const std::int64_t token : tokens) {
      text += token == 0 ? "\uFFFD"
                         : characters_.at(static_cast<std::size_t>(token));
    }
    return text;
  }

  std::string Serialize() const override {
    return WithHeader(kCharacterKind,
                      CanonicalJson(Json{{"words", characters_}}));
  }

 private:
  std::vector<std::string> characters_;
  std::unordered_map<std::string, std::int64_t> numbers_;
};

class IntegerVocabulary : public Vocabulary {
 public:
  explicit IntegerVocabulary(std::int64_t size) : size_(size) {}
  std::int64_t size() const override { return size_; }

  std::vector<std::int64_t> Encode(std::string_view text,
                                   std::int64_t max_tokens) const override {
    std::vector<std::int64_t> tokens;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (true) {
      while (at != end && (*at == ' ' || *at == '\t')) ++at;
      if (at == end || static_cast<std::int64_t>(tokens.size()) == max_tokens) {
        break;
      }
      std::int64_t value = -1;
      const auto parsed = std::from_chars(at, end, value);
      if (parsed.ec != std::errc() || value < 0 || value >= size_ ||
          (parsed.ptr != end && *parsed.ptr != ' ' && *parsed.ptr != '\t')) {
        throw Error(ErrorCode::kUsage,
                    "'" + std::string(text.substr(0, 40)) +
                        "': a text of this task is whole numbers from 0 to " +
                        std::to_string(size_ - 1) +
                        " with blanks between them; the fault is at byte " +
                        std::to_string(at - text.data()));
      }
      tokens.push_back(value);
      at = parsed.ptr;
    }
    if (tokens.empty()) tokens.push_back(0);
    return tokens;
  }

  std::string Decode(const std::vector<std::int64_t>& tokens) const override {
    std::string text;
    for (const std::int64_t token : tokens) {
      text += (text.empty() ? "" : " ") + std::to_string(token);
    }
    return text;
  }

  std::string Serialize() const override {
    return WithHeader(kIntegerKind, CanonicalJson(Json{{"size", size_}}));
  }

 private:
  std::int64_t size_;
};

class PieceVocabulary : public Vocabulary {
 public:
  explicit PieceVocabulary(std::string_view model) : model_(model) {
    if (!processor_.LoadFromSerializedProto(model_).ok()) {
      RefuseBytes("SentencePiece cannot load its model");
    }
  }

  std::int64_t size() const override { return processor_.GetPieceSize(); }

  std::vector<std::int64_t> Encode(std::string_view text,
                                   std::int64_t max_tokens) const override {
    std::vector<int> pieces;
    if (!processor_.Encode({text.data(), text.size()}, &pieces).ok() ||
        pieces.empty()) {
      pieces = {processor_.unk_id()};
    }
    const auto kept =
        std::min(pieces.size(), static_cast<std::size_t>(max_tokens));
    return {pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(kept)};
  }

  std::string Decode(const std::vector<std::int64_t>& tokens) const override {
    std::string text;
    const std::vector<int> pieces(tokens.begin(), tokens.end());
    if (!processor_.Decode(pieces, &text).ok()) return {};
    return text;
  }

  std::string Serialize() const override {
    return WithHeader(kPieceKind, model_);
  }

 private:
  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
};

class WordPieceVocabulary : public Vocabulary {
 public:
  WordPieceVocabulary(std::vector<std::string> pieces, bool fold_case,
                      const std::string& where)
      : pieces_(std::move(pieces), fold_case, where) {}

  std::int64_t size() const override {
    return static_cast<std::int64_t>(pieces_.pieces().size());
  }
  std::int64_t unknown() const override { return pieces_.unknown(); }

  std::vector<std::int64_t> Encode(std::string_view text,
                                   std::int64_t max_tokens) const override {
    std::vector<std::int64_t> tokens = pieces_.Encode(text, max_tokens);
    if (tokens.empty()) tokens.push_back(unknown());
    return tokens;
  }

  std::string Decode(const std::vector<std::int64_t>& tokens) const override {
    return pieces_.Decode(tokens);
  }

  std::string Serialize() const override {
    return WithHeader(kWordPieceKind,
                      CanonicalJson(Json{{"fold_case", pieces_.fold_case()},
                                         {"words", pieces_.pieces()}}));
  }

 private:
  WordPiece pieces_;
};

std::unique_ptr<Vocabulary> TrainWords(
    const std::vector<std::string_view>& texts, std::int64_t size) {
  std::map<std::string, std::int64_t> counts;
  for (const std::string_view text : texts) {
    for (const std::string& word : SplitWords(text, kAllWords)) {
      ++counts[word];
    }
  }
  std::vector<std::pair<std::string, std::int64_t>> ranked(counts.begin(),
                                                           counts.end());
  std::stable_sort(
      ranked.begin(), ranked.end(),
      [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> words = {kUnknown};
  for (const auto& [word, count] : ranked) {
    if (count < 2 || static_cast<std::int64_t>(words.size()) == size) break;
    words.push_back(word);
  }
  return std::make_unique<WordVocabulary>(std::move(words));
}

std::unique_ptr<Vocabulary> CollectCharacters(
    const std::vector<std::string_view>& texts, std::int64_t size) {
  std::set<std::string_view> seen;
  for (const std::string_view text : texts) {
    for (const std::string_view one : SplitCharacters(text)) seen.insert(one);
  }
  if (static_cast<std::int64_t>(seen.size()) >= size) {
    throw Error(ErrorCode::kUsage,
                "task.vocabulary_size: the texts have " +
                    std::to_string(seen.size()) +
                    " different characters, and one entry stands for unknown "
                    "ones; use at least " +
                    std::to_string(seen.size() + 1));
  }
  std::vector<std::string> characters = {kUnknown};
  characters.insert(characters.end(), seen.begin(), seen.end());
  return std::make_unique<CharacterVocabulary>(std::move(characters));
}

// Hands texts to the trainer one by one.
class TextIterator : public sentencepiece::SentenceIterator {
 public:
  explicit TextIterator(const std::vector<std::string_view>& texts)
      : texts_(texts) {
    if (!texts_.empty()) text_ = texts_.front();
  }
  bool done() const override { return at_ == texts_.size(); }
  void Next() override {
    if (++at_ < texts_.size()) text_ = texts_[at_];
  }
  const std::string& value() const override { return text_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string_view>& texts_;
  std::size_t at_ = 0;
  std::string text_;
};

std::unique_ptr<Vocabulary> TrainPieces(
    const std::vector<std::string_view>& texts, std::int64_t size,
    bool fold_case) {
  TextIterator sentences(texts);
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", "unigram"},
      {"vocab_size", std::to_string(size)},
      {"hard_vocab_limit", "false"},
      {"max_sentence_length", std::to_string(kMaxSentenceBytes)},
      {"num_threads", "1"},
      {"bos_id", "-1"},
      {"eos_id", "-1"},
      {"unk_id", "0"},
      {"normalization_rule_name", fold_case ? "nmt_nfkc_cf" : "nmt_nfkc"},
      {"minloglevel", "2"}};
  std::string model;
  const auto status =
      sentencepiece::SentencePieceTrainer::Train(options, &sentences, &model);
  if (!status.ok()) {
    throw Error(ErrorCode::kUsage,
                "task.vocabulary_size: SentencePiece cannot be trained with " +
                    std::to_string(size) +
                    " entries on these texts; a larger one may do. It says: " +
                    status.ToString());
  }
  return std::make_unique<PieceVocabulary>(model);
}

// A member of the JSON that a vocabulary is stored as.
template <typename T>
T StoredMember(std::string_view content, const char* key) {
  try {
    return ParseJson(content, "vocabulary").at(key).get<T>();
  } catch (const std::exception& error) {
    RefuseBytes(error.what());
  }
}

std::unique_ptr<Vocabulary> StoredWordPieces(std::string_view content) {
  auto pieces = StoredMember<std::vector<std::string>>(content, "words");
  const bool fold_case = StoredMember<bool>(content, "fold_case");
  try {
    return std::make_unique<WordPieceVocabulary>(std::move(pieces), fold_case,
                                                 "vocabulary");
  } catch (const Error& error) {
    RefuseBytes(error.what());
  }
}

}  // namespace

std::unique_ptr<Vocabulary> TrainVocabulary(
    const TaskOptions& options, const std::vector<std::string_view>& texts) {
  if (options.vocabulary == kWordKind) {
    return TrainWords(texts, options.vocabulary_size);
  }
  if (options.vocabulary == kCharacterKind) {
    return CollectCharacters(texts, options.vocabulary_size);
  }
  if (options.vocabulary == kIntegerKind) {
    return std::make_unique<IntegerVocabulary>(options.vocabulary_size);
  }
  if (options.vocabulary == kWordPieceKind) {
    return std::make_unique<WordPieceVocabulary>(
        ReadWordPieces(options.vocabulary_file), options.fold_case,
        options.vocabulary_file);
  }
  return TrainPieces(texts, options.vocabulary_size, options.fold_case);
}

std::unique_ptr<Vocabulary> ParseVocabulary(std::string_view bytes) {
  if (!bytes.starts_with(kFormat)) {
    RefuseBytes("it does not begin with '" + std::string(kFormat) + "'");
  }
  const std::size_t end = std::min(bytes.find('\n'), bytes.size() - 1);
  const std::string_view content = bytes.substr(end + 1);
  using Words = std::vector<std::string>;
  if (bytes == WithHeader(kWordKind, content)) {
    return std::make_unique<WordVocabulary>(
        StoredMember<Words>(content, "words"));
  }
  if (bytes == WithHeader(kCharacterKind, content)) {
    return std::make_unique<CharacterVocabulary>(
        StoredMember<Words>(content, "words"));
  }
  if (bytes == WithHeader(kIntegerKind, content)) {
    return std::make_unique<IntegerVocabulary>(
        StoredMember<std::int64_t>(content, "size"));
  }
  if (bytes == WithHeader(kWordPieceKind, content)) {
    return StoredWordPieces(content);
  }
  if (bytes == WithHeader(kPieceKind, content)) {
    return std::make_unique<PieceVocabulary>(content);
  }
  RefuseBytes("its content does not match its SHA-256; the file is damaged");
}

}  // namespace hone
