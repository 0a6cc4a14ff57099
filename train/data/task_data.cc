#include "train/data/task_data.h"

#include <algorithm>
#include <map>
#include <utility>

#include "space/base/error.h"

namespace hone {
namespace {

// Row numbers by length, ascending.
std::map<std::size_t, std::vector<std::int64_t>> Buckets(const TaskData& data) {
  std::map<std::size_t, std::vector<std::int64_t>> buckets;
  for (std::size_t row = 0; row < data.size(); ++row) {
    const std::size_t length = data.tokens.empty()
                                   ? static_cast<std::size_t>(data.frames.count)
                                   : data.tokens[row].size();
    buckets[length].push_back(static_cast<std::int64_t>(row));
  }
  return buckets;
}

// Where the windows begin when the first does at `phase`, by their length.
std::map<std::size_t, std::vector<std::int64_t>> Windows(const TaskData& data,
                                                         std::int64_t phase) {
  std::map<std::size_t, std::vector<std::int64_t>> buckets;
  const auto end = static_cast<std::int64_t>(data.stream.size());
  for (std::int64_t begin = phase; begin + 1 < end; begin += data.window) {
    const std::int64_t length = std::min(data.window + 1, end - begin);
    buckets[static_cast<std::size_t>(length)].push_back(begin);
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
std::vector<Batch> CutBuckets(
    std::map<std::size_t, std::vector<std::int64_t>>&& buckets,
    std::int64_t batch_size, Arrange&& arrange) {
  std::vector<Batch> batches;
  for (auto& [tokens, rows] : buckets) {
    arrange(rows);
    for (Batch& batch : Cut(tokens, rows, batch_size)) {
      batches.push_back(std::move(batch));
    }
  }
  return batches;
}

}  // namespace

std::size_t TaskData::size() const {
  if (IsStream()) {
    const auto tokens = static_cast<std::int64_t>(stream.size());
    return static_cast<std::size_t>(
        std::max<std::int64_t>((tokens - 2 + window) / window, 0));
  }
  if (!tokens.empty()) return tokens.size();
  return frames.values.empty()
             ? 0
             : frames.values.size() /
                   static_cast<std::size_t>(frames.count * frames.width);
}

std::vector<Batch> EpochBatches(const TaskData& data, std::int64_t batch_size,
                                Rng& rng) {
  std::map<std::size_t, std::vector<std::int64_t>> buckets;
  if (data.IsStream()) {
    const auto most = std::min<std::int64_t>(
        data.window, static_cast<std::int64_t>(data.stream.size()) - 1);
    buckets = Windows(data, static_cast<std::int64_t>(
                                rng.Below(static_cast<std::uint64_t>(most))));
  } else {
    buckets = Buckets(data);
  }
  std::vector<Batch> batches = CutBuckets(
      std::move(buckets), batch_size, [&](std::vector<std::int64_t>& rows) {
        rng.Shuffle(rows);
        if (data.targets.empty()) return;
        std::stable_sort(rows.begin(), rows.end(), [&](auto a, auto b) {
          return data.targets[static_cast<std::size_t>(a)].size() <
                 data.targets[static_cast<std::size_t>(b)].size();
        });
      });
  rng.Shuffle(batches);
  return batches;
}

std::vector<Batch> OrderedBatches(const TaskData& data,
                                  std::int64_t batch_size) {
  return CutBuckets(data.IsStream() ? Windows(data, 0) : Buckets(data),
                    batch_size, [](const std::vector<std::int64_t>&) {});
}

std::vector<std::int64_t> GatherTokens(const TaskData& data,
                                       const Batch& batch) {
  std::vector<std::int64_t> tokens_BT;
  tokens_BT.reserve(batch.rows.size() * static_cast<std::size_t>(batch.tokens));
  for (const std::int64_t row : batch.rows) {
    if (data.IsStream()) {
      const auto first = data.stream.begin() + row;
      HONE_CHECK_LE(batch.tokens, data.stream.end() - first);
      tokens_BT.insert(tokens_BT.end(), first, first + batch.tokens);
      continue;
    }
    const auto& tokens = data.tokens[static_cast<std::size_t>(row)];
    HONE_CHECK_EQ(static_cast<std::int64_t>(tokens.size()), batch.tokens);
    tokens_BT.insert(tokens_BT.end(), tokens.begin(), tokens.end());
  }
  return tokens_BT;
}

std::vector<float> GatherFrames(const TaskData& data, const Batch& batch) {
  const std::int64_t size = data.frames.count * data.frames.width;
  std::vector<float> values_BTF;
  for (const std::int64_t row : batch.rows) {
    const auto first = data.frames.values.begin() + row * size;
    values_BTF.insert(values_BTF.end(), first, first + size);
  }
  return values_BTF;
}

DecoderBatch GatherDecoderBatch(const TaskData& data, const Batch& batch,
                                std::int64_t begin, std::int64_t end) {
  DecoderBatch decoder;
  if (data.IsStream()) {
    decoder.tokens = batch.tokens - 1;
    for (const std::int64_t row : batch.rows) {
      const auto first = data.stream.begin() + row;
      decoder.input.insert(decoder.input.end(), first, first + decoder.tokens);
      decoder.labels.insert(decoder.labels.end(), first + 1,
                            first + batch.tokens);
    }
    return decoder;
  }
  for (const std::int64_t row : batch.rows) {
    const auto size = data.targets[static_cast<std::size_t>(row)].size();
    decoder.tokens =
        std::max(decoder.tokens, static_cast<std::int64_t>(size) + 1);
  }
  for (const std::int64_t row : batch.rows) {
    const auto& target = data.targets[static_cast<std::size_t>(row)];
    const auto rest =
        static_cast<std::size_t>(decoder.tokens) - target.size() - 1;
    decoder.input.push_back(begin);
    decoder.input.insert(decoder.input.end(), target.begin(), target.end());
    decoder.input.insert(decoder.input.end(), rest, end);
    decoder.labels.insert(decoder.labels.end(), target.begin(), target.end());
    decoder.labels.push_back(end);
    decoder.labels.insert(decoder.labels.end(), rest, kNoLabel);
  }
  return decoder;
}

std::vector<std::int64_t> GatherLabels(const TaskData& data, const Batch& batch,
                                       std::int64_t begin, std::int64_t end) {
  if (data.labels.empty()) {
    return GatherDecoderBatch(data, batch, begin, end).labels;
  }
  std::vector<std::int64_t> labels;
  for (const std::int64_t row : batch.rows) {
    labels.push_back(data.labels[static_cast<std::size_t>(row)]);
  }
  return labels;
}

TaskData SomeRows(const TaskData& data, std::size_t count) {
  if (count >= data.size()) return data;
  TaskData some;
  some.window = data.window;
  some.unknown = data.unknown;
  some.frames.count = data.frames.count;
  some.frames.width = data.frames.width;
  if (data.IsStream()) {
    const auto end = static_cast<std::ptrdiff_t>(count) * data.window + 1;
    some.stream.assign(data.stream.begin(), data.stream.begin() + end);
    return some;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = i * data.size() / count;
    const auto take = [&](const auto& from, auto& to) {
      if (!from.empty()) to.push_back(from[row]);
    };
    take(data.tokens, some.tokens);
    take(data.labels, some.labels);
    take(data.targets, some.targets);
    take(data.references, some.references);
    if (data.frames.values.empty()) continue;
    const std::vector<float> values =
        GatherFrames(data, {0, {static_cast<std::int64_t>(row)}});
    some.frames.values.insert(some.frames.values.end(), values.begin(),
                              values.end());
  }
  return some;
}

}  // namespace hone
