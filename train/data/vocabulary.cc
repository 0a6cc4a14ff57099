#include "train/data/vocabulary.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include "space/base/error.h"
#include "space/base/json.h"

namespace hone {
namespace {

constexpr char kUnknown[] = "<unknown>";
constexpr char kPieceHeader[] = "hone sentencepiece 1\n";

[[noreturn]] void RefuseBytes(const std::string& what) {
  throw Error(ErrorCode::kIntegrity, "not a vocabulary of ours: " + what);
}

// Lower-cased runs of letters (bytes above ASCII count as letters), runs of
// digits, and every other visible character alone.
std::vector<std::string> SplitWords(std::string_view text) {
  enum class Kind { kNone, kLetter, kDigit };
  std::vector<std::string> words;
  Kind previous = Kind::kNone;
  for (const char raw : text) {
    const auto byte = static_cast<unsigned char>(raw);
    const bool upper = byte >= 'A' && byte <= 'Z';
    const char c = upper ? static_cast<char>(byte + 32) : raw;
    Kind kind = Kind::kNone;
    if (byte >= 0x80 || (c >= 'a' && c <= 'z')) kind = Kind::kLetter;
    if (byte >= '0' && byte <= '9') kind = Kind::kDigit;
    if (byte > ' ') {
      if (kind != Kind::kNone && kind == previous) {
        words.back() += c;
      } else {
        words.emplace_back(1, c);
      }
    }
    previous = kind;
  }
  return words;
}

class WordVocabulary : public Vocabulary {
 public:
  explicit WordVocabulary(std::vector<std::string> words)
      : words_(std::move(words)) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      numbers_.emplace(words_[i], static_cast<std::int64_t>(i));
    }
  }

  std::int64_t size() const override {
    return static_cast<std::int64_t>(words_.size());
  }

  std::vector<std::int64_t> Encode(std::string_view text,
                                   std::int64_t max_tokens) const override {
    std::vector<std::int64_t> tokens;
    for (const std::string& word : SplitWords(text)) {
      if (static_cast<std::int64_t>(tokens.size()) == max_tokens) break;
      const auto found = numbers_.find(word);
      tokens.push_back(found == numbers_.end() ? 0 : found->second);
    }
    if (tokens.empty()) tokens.push_back(0);
    return tokens;
  }

  std::string Serialize() const override {
    return Json{{"kind", "word"}, {"words", words_}}.dump() + "\n";
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

  std::string Serialize() const override { return kPieceHeader + model_; }

 private:
  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
};

std::unique_ptr<Vocabulary> TrainWords(const std::vector<LabelledText>& texts,
                                       std::int64_t size) {
  std::map<std::string, std::int64_t> counts;
  for (const LabelledText& example : texts) {
    for (const std::string& word : SplitWords(example.text)) ++counts[word];
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
                "task.vocabulary: SentencePiece cannot be trained: " +
                    status.ToString());
  }
  return std::make_unique<PieceVocabulary>(model);
}

std::unique_ptr<Vocabulary> ParseWords(std::string_view bytes) {
  try {
    const Json json = ParseJson(bytes, "vocabulary");
    if (!json.is_object() || json.size() != 2 || json.at("kind") != "word") {
      RefuseBytes("an object with kind and words is needed");
    }
    auto words = json.at("words").get<std::vector<std::string>>();
    if (words.empty()) RefuseBytes("it is empty");
    return std::make_unique<WordVocabulary>(std::move(words));
  } catch (const Json::exception& error) {
    RefuseBytes(error.what());
  } catch (const Error& error) {
    RefuseBytes(error.what());
  }
}

}  // namespace

std::unique_ptr<Vocabulary> TrainVocabulary(
    const TaskOptions& options, const std::vector<LabelledText>& texts) {
  return options.vocabulary == "word"
             ? TrainWords(texts, options.vocabulary_size)
             : TrainPieces(texts, options.vocabulary_size);
}

std::unique_ptr<Vocabulary> ParseVocabulary(std::string_view bytes) {
  if (bytes.starts_with(kPieceHeader)) {
    return std::make_unique<PieceVocabulary>(
        bytes.substr(sizeof kPieceHeader - 1));
  }
  return ParseWords(bytes);
}

}  // namespace hone
