#include "train/data/token_data.h"

#include <algorithm>
#include <map>
#include <utility>

#include "space/base/error.h"

namespace hone {
namespace {

// Row numbers by length, ascending.
std::map<std::size_t, std::vector<std::int64_t>> Buckets(
    const TokenData& data) {
  std::map<std::size_t, std::vector<std::int64_t>> buckets;
  for (std::size_t row = 0; row < data.size(); ++row) {
    buckets[data.tokens[row].size()].push_back(static_cast<std::int64_t>(row));
  }
  return buckets;
}

std::vector<Batch> Cut(std::size_t tokens,
                       const std::vector<std::int64_t>& rows,
                       std::int64_t batch_size) {
  HONE_CHECK_LE(1, batch_size);
  const auto size = static_cast<std::size_t>(batch_size);
  std::vector<Batch> batches;
  for (std::size_t begin = 0; begin < rows.size(); begin += size) {
    const std::size_t end = std::min(begin + size, rows.size());
    batches.push_back({static_cast<std::int64_t>(tokens),
                       {rows.begin() + static_cast<std::ptrdiff_t>(begin),
                        rows.begin() + static_cast<std::ptrdiff_t>(end)}});
  }
  return batches;
}

// Every bucket cut into batches, after `arrange` saw its rows.
template <typename Arrange>
std::vector<Batch> CutBuckets(const TokenData& data, std::int64_t batch_size,
                              Arrange&& arrange) {
  std::vector<Batch> batches;
  auto buckets = Buckets(data);
  for (auto& [tokens, rows] : buckets) {
    arrange(rows);
    for (Batch& batch : Cut(tokens, rows, batch_size)) {
      batches.push_back(std::move(batch));
    }
  }
  return batches;
}

}  // namespace

TokenData Tokenize(const std::vector<LabelledText>& examples,
                   const Vocabulary& vocabulary, std::int64_t max_tokens) {
  TokenData data;
  data.tokens.reserve(examples.size());
  data.labels.reserve(examples.size());
  for (const LabelledText& example : examples) {
    data.tokens.push_back(vocabulary.Encode(example.text, max_tokens));
    data.labels.push_back(example.label);
  }
  return data;
}

std::vector<Batch> EpochBatches(const TokenData& data, std::int64_t batch_size,
                                Rng& rng) {
  std::vector<Batch> batches =
      CutBuckets(data, batch_size,
                 [&](std::vector<std::int64_t>& rows) { rng.Shuffle(rows); });
  rng.Shuffle(batches);
  return batches;
}

std::vector<Batch> OrderedBatches(const TokenData& data,
                                  std::int64_t batch_size) {
  return CutBuckets(data, batch_size, [](const std::vector<std::int64_t>&) {});
}

std::vector<std::int64_t> GatherTokens(const TokenData& data,
                                       const Batch& batch) {
  std::vector<std::int64_t> tokens_BT;
  tokens_BT.reserve(batch.rows.size() * static_cast<std::size_t>(batch.tokens));
  for (const std::int64_t row : batch.rows) {
    const auto& tokens = data.tokens[static_cast<std::size_t>(row)];
    HONE_CHECK_EQ(static_cast<std::int64_t>(tokens.size()), batch.tokens);
    tokens_BT.insert(tokens_BT.end(), tokens.begin(), tokens.end());
  }
  return tokens_BT;
}

}  // namespace hone
