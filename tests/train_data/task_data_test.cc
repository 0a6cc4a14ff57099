#include "train/data/task_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

// `rows` rows of 1 to 9 tokens; token t of row r is 100 r + t.
TaskData MakeData(std::int64_t rows, std::uint64_t seed) {
  Rng rng(seed);
  TaskData data;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<std::int64_t> tokens(1 + rng.Below(9));
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      tokens[t] = 100 * row + static_cast<std::int64_t>(t);
    }
    data.tokens.push_back(std::move(tokens));
    data.labels.push_back(static_cast<std::int64_t>(rng.Below(3)));
  }
  return data;
}

std::vector<std::vector<std::int64_t>> RowsOf(
    const std::vector<Batch>& batches) {
  std::vector<std::vector<std::int64_t>> rows;
  for (const Batch& batch : batches) rows.push_back(batch.rows);
  return rows;
}

// What both orders promise.
void ExpectExactBuckets(const TaskData& data, std::int64_t batch_size,
                        const std::vector<Batch>& batches) {
  std::multiset<std::int64_t> seen;
  std::map<std::int64_t, std::vector<std::int64_t>> sizes;  // by length
  for (const Batch& batch : batches) {
    ASSERT_FALSE(batch.rows.empty());
    ASSERT_LE(static_cast<std::int64_t>(batch.rows.size()), batch_size);
    sizes[batch.tokens].push_back(static_cast<std::int64_t>(batch.rows.size()));
    for (const std::int64_t row : batch.rows) {
      seen.insert(row);
      ASSERT_EQ(static_cast<std::int64_t>(
                    data.tokens[static_cast<std::size_t>(row)].size()),
                batch.tokens);
    }
  }
  std::multiset<std::int64_t> all;
  for (std::size_t row = 0; row < data.size(); ++row) {
    all.insert(static_cast<std::int64_t>(row));
  }
  EXPECT_EQ(seen, all);
  for (const auto& [length, of_length] : sizes) {
    const auto full =
        std::count(of_length.begin(), of_length.end(), batch_size);
    EXPECT_GE(full, static_cast<std::ptrdiff_t>(of_length.size()) - 1);
  }
}

TEST(EpochBatches, HoldsEveryRowOnceInExactBuckets) {
  for (const std::int64_t rows : {0, 1, 7, 500}) {
    const TaskData data = MakeData(rows, 3);
    for (const std::int64_t batch_size : {1, 4, 64, 1000}) {
      Rng rng(5);
      ExpectExactBuckets(data, batch_size, EpochBatches(data, batch_size, rng));
      ExpectExactBuckets(data, batch_size, OrderedBatches(data, batch_size));
    }
  }
}

TEST(EpochBatches, DependsOnTheStreamAlone) {
  const TaskData data = MakeData(300, 3);
  Rng one(5), same(5), other(6);
  const auto first = RowsOf(EpochBatches(data, 16, one));
  EXPECT_EQ(RowsOf(EpochBatches(data, 16, same)), first);
  EXPECT_NE(RowsOf(EpochBatches(data, 16, other)), first);
  EXPECT_NE(RowsOf(EpochBatches(data, 16, one)), first) << "the next epoch";
}

// Over many epochs each row of one length comes first about equally often, and
// so does each length: 4 sigma of a binomial around the mean.
TEST(EpochBatches, ShufflesRowsAndBatches) {
  TaskData data;
  for (int row = 0; row < 8; ++row) {
    data.tokens.emplace_back(row < 4 ? 1 : 2);
    data.labels.push_back(0);
  }
  Rng rng(9);
  constexpr int kEpochs = 4000;
  std::map<std::int64_t, int> first_rows;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    ++first_rows[EpochBatches(data, 2, rng)[0].rows[0]];
  }
  const double mean = kEpochs / 8.0;
  for (int row = 0; row < 8; ++row) {
    EXPECT_NEAR(first_rows[row], mean, 4 * std::sqrt(mean * 7 / 8));
  }
}

TEST(OrderedBatches, GoesByLengthThenRow) {
  TaskData data;
  data.tokens = {{1, 2}, {3}, {4, 5}, {6}, {7, 8}};
  data.labels = {0, 0, 0, 0, 0};
  const std::vector<std::vector<std::int64_t>> expected = {{1, 3}, {0, 2}, {4}};
  EXPECT_EQ(RowsOf(OrderedBatches(data, 2)), expected);
}

TEST(OrderedBatches, NeedsAPositiveBatchSize) {
  const TaskData data = MakeData(3, 1);
  ExpectError(ErrorCode::kInternal, "batch_size",
              [&] { OrderedBatches(data, 0); });
}

TEST(GatherTokens, LaysRowsOutOneAfterAnother) {
  TaskData data;
  data.tokens = {{1, 2}, {3}, {4, 5}};
  data.labels = {0, 0, 0};
  EXPECT_EQ(GatherTokens(data, {2, {2, 0}}),
            (std::vector<std::int64_t>{4, 5, 1, 2}));
  ExpectError(ErrorCode::kInternal, "got 1 and 2", [&] {
    GatherTokens(data, {2, {0, 1}});
  });
}

TaskData Stream(std::int64_t tokens, std::int64_t window) {
  TaskData data;
  for (std::int64_t i = 0; i < tokens; ++i) data.stream.push_back(i);
  data.window = window;
  return data;
}

TEST(Stream, WindowsPredictEveryTokenButTheFirstOnce) {
  for (const std::int64_t tokens : {2, 3, 7, 8, 9, 10}) {
    const TaskData data = Stream(tokens, 4);
    std::multiset<std::int64_t> predicted;
    std::size_t windows = 0;
    for (const Batch& batch : OrderedBatches(data, 2)) {
      windows += batch.rows.size();
      const DecoderBatch decoder = GatherDecoderBatch(data, batch, 0, 0);
      ASSERT_EQ(decoder.input.size(), decoder.labels.size());
      for (std::size_t i = 0; i < decoder.input.size(); ++i) {
        EXPECT_EQ(decoder.labels[i], decoder.input[i] + 1);
        predicted.insert(decoder.labels[i]);
      }
    }
    EXPECT_EQ(windows, data.size());
    std::multiset<std::int64_t> all;
    for (std::int64_t i = 1; i < tokens; ++i) all.insert(i);
    EXPECT_EQ(predicted, all);
  }
}

TEST(Stream, EpochsBeginAtDifferentPlaces) {
  const TaskData data = Stream(100, 8);
  std::set<std::int64_t> first;
  for (std::int64_t epoch = 0; epoch < 50; ++epoch) {
    Rng rng(1, epoch, "batches");
    std::int64_t smallest = 100;
    for (const Batch& batch : EpochBatches(data, 4, rng)) {
      for (const std::int64_t row : batch.rows) {
        smallest = std::min(smallest, row);
      }
      EXPECT_EQ(GatherTokens(data, batch).size(),
                batch.rows.size() * static_cast<std::size_t>(batch.tokens));
    }
    first.insert(smallest);
  }
  EXPECT_EQ(first.size(), 8u);
}

TEST(Translations, TargetsBeginAndEndAndArePaddedBehind) {
  TaskData data;
  data.tokens = {{1, 2}, {3, 4}};
  data.targets = {{5}, {6, 7, 8}};
  const DecoderBatch decoder = GatherDecoderBatch(data, {2, {0, 1}}, 20, 21);
  EXPECT_EQ(decoder.tokens, 4);
  EXPECT_EQ(decoder.input, (std::vector<std::int64_t>{20, 5, 21, 21,  //
                                                      20, 6, 7, 8}));
  EXPECT_EQ(decoder.labels,
            (std::vector<std::int64_t>{5, 21, kNoLabel, kNoLabel,  //
                                       6, 7, 8, 21}));
}

TEST(Frames, AreGatheredByRow) {
  TaskData data;
  data.frames.count = 2;
  data.frames.width = 1;
  data.frames.values = {1, 2, 3, 4, 5, 6};
  data.labels = {0, 1, 0};
  EXPECT_EQ(data.size(), 3u);
  EXPECT_EQ(GatherFrames(data, {2, {2, 0}}), (std::vector<float>{5, 6, 1, 2}));
  const auto batches = OrderedBatches(data, 2);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].tokens, 2);
  EXPECT_EQ(SomeRows(data, 1).frames.values, (std::vector<float>{1, 2}));
}

}  // namespace
}  // namespace hone
