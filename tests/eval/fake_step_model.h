#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "eval/decode/step_model.h"
#include "space/base/error.h"

namespace hone {

struct FakeStepOptions {
  std::int64_t vocabulary = 11;
  std::int64_t max_tokens = 64;
  std::uint64_t seed = 1;
  float spread = 4;  // logits are uniform in [0, spread)
  // The share of texts after which the logits are negated, so that the
  // likeliest token becomes the least likely one.
  double dissent = 0;
};

// What tests ask about the calls that a model got.
struct FakeStepCalls {
  std::int64_t starts = 0;
  std::int64_t extends = 0;
  std::int64_t rows_extended = 0;
  std::int64_t most_rows = 0;
};

// A step model whose logits are a hash of the source and of everything that a
// row has read, so that any slip in the bookkeeping of rows shows. Throws
// Error{kInternal} when a caller breaks what step_model.h requires.
class FakeStepModel : public StepModel {
 public:
  explicit FakeStepModel(const FakeStepOptions& options) : options_(options) {}

  StepModelInfo Info() const override {
    return {options_.vocabulary, options_.max_tokens};
  }
  std::unique_ptr<DecodeBatch> Start(
      const std::vector<std::vector<std::int64_t>>& sources) override;

  // The logits after the token that ends `text`.
  std::vector<float> Logits(const std::vector<std::int64_t>& source,
                            const std::vector<std::int64_t>& text) const {
    std::uint64_t hash = Mix(options_.seed);
    for (const std::int64_t token : source) hash = Mix(hash ^ Number(token));
    hash = Mix(hash + source.size());
    for (const std::int64_t token : text) hash = Mix(hash ^ Number(token));
    const float sign = Uniform(Mix(hash ^ 5)) < options_.dissent ? -1.0f : 1.0f;
    std::vector<float> logits;
    for (std::int64_t v = 0; v < options_.vocabulary; ++v) {
      const double uniform = Uniform(Mix(hash ^ (Number(v) << 32)));
      logits.push_back(sign * options_.spread * static_cast<float>(uniform));
    }
    return logits;
  }

  const FakeStepOptions& options() const { return options_; }
  FakeStepCalls calls;

 private:
  static std::uint64_t Number(std::int64_t token) {
    return static_cast<std::uint64_t>(token) + 1;
  }
  // The finalizer of SplitMix64 (Steele et al. 2014).
  static std::uint64_t Mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
  static double Uniform(std::uint64_t hash) {
    return static_cast<double>(hash >> 11) * 0x1p-53;
  }

  FakeStepOptions options_;
};

class FakeDecodeBatch : public DecodeBatch {
 public:
  FakeDecodeBatch(FakeStepModel& model,
                  const std::vector<std::vector<std::int64_t>>& sources)
      : model_(model) {
    for (const auto& source : sources) rows_.push_back({source, {}, 0});
  }

  std::vector<float> Extend(const std::vector<std::int64_t>& tokens,
                            std::int64_t count) override {
    HONE_CHECK_LE(1, count);
    const auto rows = static_cast<std::int64_t>(rows_.size());
    HONE_CHECK_EQ(static_cast<std::int64_t>(tokens.size()), rows * count);
    Count(rows);
    std::vector<float> logits;
    std::size_t next = 0;
    for (Row& row : rows_) {
      row.kept = row.text.size();
      for (std::int64_t i = 0; i < count; ++i, ++next) {
        HONE_CHECK_LE(0, tokens[next]);
        HONE_CHECK_LT(tokens[next], model_.options().vocabulary);
        row.text.push_back(tokens[next]);
        const std::vector<float> one = model_.Logits(row.source, row.text);
        logits.insert(logits.end(), one.begin(), one.end());
      }
      if (static_cast<std::int64_t>(row.text.size()) >
          model_.options().max_tokens) {
        throw Error(ErrorCode::kUsage, "a row is too long");
      }
    }
    return logits;
  }

  void Select(const std::vector<std::int64_t>& rows) override {
    HONE_CHECK(!rows.empty());
    std::vector<Row> selected;
    for (const std::int64_t row : rows) {
      selected.push_back(rows_.at(static_cast<std::size_t>(row)));
    }
    rows_ = std::move(selected);
  }

  void Append(std::unique_ptr<DecodeBatch> more) override {
    auto* const other = dynamic_cast<FakeDecodeBatch*>(more.get());
    HONE_CHECK(other != nullptr && &other->model_ == &model_);
    rows_.insert(rows_.end(), other->rows_.begin(), other->rows_.end());
  }

  void Truncate(const std::vector<std::int64_t>& lengths) override {
    HONE_CHECK_EQ(lengths.size(), rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const auto length = static_cast<std::size_t>(lengths[i]);
      HONE_CHECK_LE(rows_[i].kept, length);
      HONE_CHECK_LE(length, rows_[i].text.size());
      rows_[i].text.resize(length);
    }
  }

 private:
  struct Row {
    std::vector<std::int64_t> source;
    std::vector<std::int64_t> text;
    std::size_t kept = 0;  // what Truncate must leave
  };

  void Count(std::int64_t rows) {
    ++model_.calls.extends;
    model_.calls.rows_extended += rows;
    model_.calls.most_rows = std::max(model_.calls.most_rows, rows);
  }

  FakeStepModel& model_;
  std::vector<Row> rows_;
};

inline std::unique_ptr<DecodeBatch> FakeStepModel::Start(
    const std::vector<std::vector<std::int64_t>>& sources) {
  HONE_CHECK(!sources.empty());
  ++calls.starts;
  return std::make_unique<FakeDecodeBatch>(*this, sources);
}

}  // namespace hone
