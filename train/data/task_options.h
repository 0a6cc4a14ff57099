#pragma once

#include <cstdint>
#include <string>

#include "space/architecture.h"
#include "space/base/fields.h"

namespace hone {

// The [task] table of a spec: what is to be learned, and from which examples.
// Without files of a person's own, each kind has a built-in data set.
struct TaskOptions {
  std::string kind = "text-classification";
  std::string train;
  std::string dev;
  std::string test;
  std::string train_target;
  std::string dev_target;
  std::string test_target;
  std::string text_column = "text";
  std::string label_column = "label";
  std::string target_column = "target";
  std::string vocabulary = "word";
  std::int64_t vocabulary_size = 20000;
  std::string vocabulary_file;
  bool fold_case = true;
  std::int64_t max_tokens = 64;
  std::int64_t max_target_tokens = 64;
  std::int64_t image_height = 28;
  std::int64_t image_width = 28;
  std::int64_t patch = 4;
  std::int64_t patch_overlap = 0;
  std::string augmentation = "none";
  double sound_seconds = 1.5;
  std::int64_t mel_bands = 40;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("kind", self.kind,
          OneOf{{"text-classification", "sequence-classification",
                 "language-model", "translation", "image-classification",
                 "audio-classification"}},
          "what is learned; without files, from WordNet glosses, Fashion-MNIST "
          "as 784 pixels in a row, the King James Bible, its verses from "
          "Spanish, Fashion-MNIST, spoken prompts in five languages");
    visit("train", self.train, AnyValue{},
          "training examples; empty: the built-in data set. Texts: .tsv, .csv "
          "or .jsonl; language model: a text file; translation: .tsv, or a "
          "text file with train_target; images and sounds: a folder with a "
          "folder for each class, or images and labels as IDX, joined by ':'");
    visit("dev", self.dev, AnyValue{},
          "examples that the search measures quality on");
    visit("test", self.test, AnyValue{},
          "examples that only `hone eval` reads");
    visit("train_target", self.train_target, AnyValue{},
          "translations of the lines of train, where that is a text file");
    visit("dev_target", self.dev_target, AnyValue{}, "the same for dev");
    visit("test_target", self.test_target, AnyValue{}, "the same for test");
    visit("text_column", self.text_column, AnyValue{},
          "column (or JSON key) of the text");
    visit("label_column", self.label_column, AnyValue{},
          "column (or JSON key) of the label");
    visit("target_column", self.target_column, AnyValue{},
          "column of the translation");
    visit("vocabulary", self.vocabulary,
          OneOf{{"word", "sentencepiece", "character", "integer", "wordpiece"}},
          "word: the most frequent lower-cased words; sentencepiece: unigram "
          "subwords; character: all that occur; integer: texts are numbers "
          "below vocabulary_size; wordpiece: the pieces of a BERT checkpoint, "
          "from vocabulary_file; the others are trained on the training split");
    visit("vocabulary_size", self.vocabulary_size, InRange{2, 1000000},
          "entries at most; a wordpiece vocabulary has as many as its file");
    visit("vocabulary_file", self.vocabulary_file, AnyValue{},
          "wordpiece: a file of pieces, one a line, such as vocab.txt");
    visit("fold_case", self.fold_case, AnyValue{},
          "sentencepiece, wordpiece: lower-case the texts; wordpiece: drop "
          "accents too");
    visit("max_tokens", self.max_tokens, InRange{1, 4096},
          "longer texts are cut to this many tokens; a language model's "
          "context. Images and sounds have as many as they have");
    visit("max_target_tokens", self.max_target_tokens, InRange{1, 4096},
          "the same for translations; pairs that are longer on either side "
          "are left out of all splits");
    visit("image_height", self.image_height, InRange{1, 4096},
          "pixels of own images");
    visit("image_width", self.image_width, InRange{1, 4096}, "the same");
    visit("patch", self.patch, InRange{1, 256},
          "side of the squares of an image that become tokens");
    visit("patch_overlap", self.patch_overlap, InRange{0, 64},
          "pixels on each side that a token sees beyond its square; outside "
          "the image they are blank");
    visit("augmentation", self.augmentation,
          OneOf{{"none", "flip", "flip-shift"}},
          "of training images: mirrored, and moved by up to two pixels");
    visit("sound_seconds", self.sound_seconds, InRange{0.1, 60},
          "sounds are cut or padded with silence to this length");
    visit("mel_bands", self.mel_bands, InRange{8, 256},
          "numbers of a sound's frame: log energies by the mel scale");
  }
};

// The topology of the networks that learn such a task.
inline Topology TopologyOf(const TaskOptions& options) {
  if (options.kind == "language-model") return Topology::kDecoder;
  if (options.kind == "translation") return Topology::kEncoderDecoder;
  return Topology::kEncoder;
}

// The side of what a token sees of an image.
inline std::int64_t PatchSide(const TaskOptions& options) {
  return options.patch + 2 * options.patch_overlap;
}

}  // namespace hone
