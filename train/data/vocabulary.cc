#include "train/data/vocabulary.h"

#include <algorithm>
#include <limits>
#include <map>
#include <unordered_map>

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include "space/base/error.h"
#include "space/base/hash.h"
#include "space/base/json.h"
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

  std::string Serialize() const override {
    return WithHeader(kWordKind, CanonicalJson(Json{{"words", words_}}));
  }

 private:
  std::vector<std::string> words_;  // the first is the unknown word
  std::unordered_map<std::string, std::int64_t> numbers_;
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

  std::string Serialize() const override {
    return WithHeader(kPieceKind, model_);
  }

 private:
  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
};

std::unique_ptr<Vocabulary> TrainWords(const std::vector<LabelledText>& texts,
                                       std::int64_t size) {
  std::map<std::string, std::int64_t> counts;
  for (const LabelledText& example : texts) {
    for (const std::string& word : SplitWords(example.text, kAllWords)) {
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

// Hands texts to the trainer one by one.
class TextIterator : public sentencepiece::SentenceIterator {
 public:
  explicit TextIterator(const std::vector<LabelledText>& texts)
      : texts_(texts) {}
  bool done() const override { return at_ == texts_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return texts_[at_].text; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<LabelledText>& texts_;
  std::size_t at_ = 0;
};

std::unique_ptr<Vocabulary> TrainPieces(const std::vector<LabelledText>& texts,
                                        std::int64_t size) {
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
      {"normalization_rule_name", "nmt_nfkc_cf"},
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

std::unique_ptr<Vocabulary> ParseWords(std::string_view content) {
  std::vector<std::string> words;
  try {
    ParseJson(content, "vocabulary").at("words").get_to(words);
  } catch (const std::exception& error) {
    RefuseBytes(error.what());
  }
  return std::make_unique<WordVocabulary>(std::move(words));
}

}  // namespace

std::unique_ptr<Vocabulary> TrainVocabulary(
    const TaskOptions& options, const std::vector<LabelledText>& texts) {
  return options.vocabulary == kWordKind
             ? TrainWords(texts, options.vocabulary_size)
             : TrainPieces(texts, options.vocabulary_size);
}

std::unique_ptr<Vocabulary> ParseVocabulary(std::string_view bytes) {
  if (!bytes.starts_with(kFormat)) {
    RefuseBytes("it does not begin with '" + std::string(kFormat) + "'");
  }
  const std::size_t end = std::min(bytes.find('\n'), bytes.size() - 1);
  const std::string_view content = bytes.substr(end + 1);
  if (bytes == WithHeader(kWordKind, content)) return ParseWords(content);
  if (bytes == WithHeader(kPieceKind, content)) {
    return std::make_unique<PieceVocabulary>(content);
  }
  RefuseBytes("its content does not match its SHA-256; the file is damaged");
}

}  // namespace hone
