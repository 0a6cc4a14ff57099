#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/base/rng.h"

namespace hone {

// Vectors of numbers that stand in place of tokens: patches of an image, frames
// of a sound. Every example has as many.
struct Frames {
  std::int64_t count = 0;     // T
  std::int64_t width = 0;     // F
  std::vector<float> values;  // row major [N,T,F]
  std::int64_t rate = 0;      // samples a second, of sounds
  // Ways to see an example in training: for each of the T*F numbers the place
  // of the one that takes its stead, or -1 for `blank`. None: as it is.
  std::vector<std::vector<std::int64_t>> variants;
  float blank = 0;
};

// Examples as numbers, in the order of the data set. Which members are in use
// depends on the kind of task.
struct TaskData {
  std::vector<std::vector<std::int64_t>> tokens;  // texts, or sources
  Frames frames;                                  // instead of tokens
  std::int64_t unknown = 0;                       // the unknown token
  std::vector<std::int64_t> labels;               // of a classification
  // Of a translation: what is to be written, and that as text.
  std::vector<std::vector<std::int64_t>> targets;
  std::vector<std::string> references;
  // Of a language model: one running text, read in windows of `window` tokens,
  // each of which predicts the token after it; and its Unicode characters.
  std::vector<std::int64_t> stream;
  std::int64_t window = 0;
  std::int64_t characters = 0;

  bool IsStream() const { return window > 0; }
  // Examples, or windows.
  std::size_t size() const;
};

// Row numbers that all have the same number of tokens, so that a batch needs no
// padding and no mask. Of a stream: where windows begin, and `tokens` counts
// the token after the window too. Translations are alike in their sources.
struct Batch {
  std::int64_t tokens = 0;
  std::vector<std::int64_t> rows;
};

// Every row once, in exact-length buckets: rows shuffled within their length
// (and then, of translations, put in order of their targets' lengths), cut into
// batches of at most `batch_size`, batches shuffled. Remainders of a length
// form smaller batches. A stream is cut from a random place on. The order
// depends on the stream of draws alone. Requires: batch_size >= 1.
std::vector<Batch> EpochBatches(const TaskData& data, std::int64_t batch_size,
                                Rng& rng);
// The same without shuffling: by length, then row. For evaluation.
std::vector<Batch> OrderedBatches(const TaskData& data,
                                  std::int64_t batch_size);

// The tokens of a batch, row major. Shapes: [B,T]. Requires: a batch of `data`.
std::vector<std::int64_t> GatherTokens(const TaskData& data,
                                       const Batch& batch);
// The frames of a batch, row major [B,T,F].
std::vector<float> GatherFrames(const TaskData& data, const Batch& batch);

// What a decoder reads and what it is to predict, row major [B,T].
struct DecoderBatch {
  std::int64_t tokens = 0;  // T
  std::vector<std::int64_t> input;
  std::vector<std::int64_t> labels;  // kNoLabel behind a target's end
};
inline constexpr std::int64_t kNoLabel = -100;
// Of a stream: each token predicts the next. Of a translation: `begin` and the
// target predict the target and `end`, padded to the longest of the batch.
DecoderBatch GatherDecoderBatch(const TaskData& data, const Batch& batch,
                                std::int64_t begin, std::int64_t end);
// The classes of a batch, or the labels of its DecoderBatch.
std::vector<std::int64_t> GatherLabels(const TaskData& data, const Batch& batch,
                                       std::int64_t begin, std::int64_t end);

// At most `count` rows, evenly spaced; of a stream, a piece from its start.
TaskData SomeRows(const TaskData& data, std::size_t count);

}  // namespace hone
