#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/base/fields.h"

namespace hone {

// The [task] table of a spec: where the examples come from.
struct TaskOptions {
  std::string kind = "wordnet-gloss";
  std::string train;  // files of a person's own data, by extension
  std::string dev;    // .tsv, .csv or .jsonl
  std::string test;
  std::string text_column = "text";
  std::string label_column = "label";
  std::string vocabulary = "word";
  std::int64_t vocabulary_size = 20000;
  std::int64_t max_tokens = 64;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("kind", self.kind, OneOf{{"wordnet-gloss", "text-classification"}},
          "wordnet-gloss (Debian package wordnet-base), or "
          "text-classification for your own files");
    visit("train", self.train, AnyValue{},
          "training examples: a .tsv, .csv or .jsonl file");
    visit("dev", self.dev, AnyValue{},
          "examples that the search measures quality on");
    visit("test", self.test, AnyValue{},
          "examples that only `hone eval` reads");
    visit("text_column", self.text_column, AnyValue{},
          "column (or JSON key) of the text");
    visit("label_column", self.label_column, AnyValue{},
          "column (or JSON key) of the label");
    visit("vocabulary", self.vocabulary, OneOf{{"word", "sentencepiece"}},
          "word: the most frequent lower-cased words; sentencepiece: unigram "
          "subwords; trained on the training split");
    visit("vocabulary_size", self.vocabulary_size, InRange{16, 1000000},
          "entries at most");
    visit("max_tokens", self.max_tokens, InRange{1, 4096},
          "longer texts are cut to this many tokens");
  }
};

struct LabelledText {
  std::string text;
  std::int64_t label = 0;
};

// The examples that a search may see. Class numbers index `classes`, which is
// sorted by name. There is no test split here: only LoadTestSplit reads it.
struct TextDataset {
  std::vector<std::string> classes;
  std::vector<LabelledText> train;
  std::vector<LabelledText> dev;
  std::string content_hash;  // SHA-256 over classes, texts and labels
};

// Throws: Error{kUsage} naming file and line of a bad row (wrong number of
// fields, empty text, label of dev not in train, invalid UTF-8, NUL);
// Error{kNotFound} naming the Debian package or the file that is missing.
TextDataset LoadDataset(const TaskOptions& options);
// The test split, labelled by the given class list.
std::vector<LabelledText> LoadTestSplit(
    const TaskOptions& options, const std::vector<std::string>& classes);

}  // namespace hone
