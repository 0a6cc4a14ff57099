#pragma once

#include <cstdint>
#include <vector>

#include "space/base/rng.h"
#include "train/data/vocabulary.h"

namespace hone {

// Examples as token numbers, in the order of the data set.
struct TokenData {
  std::vector<std::vector<std::int64_t>> tokens;
  std::vector<std::int64_t> labels;
  std::size_t size() const { return tokens.size(); }
};

// Every example by Vocabulary::Encode. Requires: max_tokens >= 1.
TokenData Tokenize(const std::vector<LabelledText>& examples,
                   const Vocabulary& vocabulary, std::int64_t max_tokens);

// Row numbers that all have the same number of tokens, so that a batch needs no
// padding and no mask.
struct Batch {
  std::int64_t tokens = 0;
  std::vector<std::int64_t> rows;
};

// Every row once, in exact-length buckets: rows shuffled within their length,
// cut into batches of at most `batch_size`, batches shuffled. Remainders of a
// length form smaller batches. The order depends on the stream alone. Requires:
// batch_size >= 1.
std::vector<Batch> EpochBatches(const TokenData& data, std::int64_t batch_size,
                                Rng& rng);
// The same without shuffling: by length, then row. For evaluation.
std::vector<Batch> OrderedBatches(const TokenData& data,
                                  std::int64_t batch_size);

// The tokens of a batch, row major. Shapes: [B,T]. Requires: a batch of `data`.
std::vector<std::int64_t> GatherTokens(const TokenData& data,
                                       const Batch& batch);

}  // namespace hone
