#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace hone {

// Which token of which row each slot of a decoder's keys and values holds.
// Every row has the same number of slots; rows may have read different numbers
// of tokens, and then some slots hold nothing for some rows. Copies are
// snapshots.
class SlotTable {
 public:
  // The place of a slot that holds no token: after every token there will be.
  static constexpr std::int64_t kNothing =
      std::numeric_limits<std::int32_t>::max();

  explicit SlotTable(std::size_t rows = 0) : lengths_(rows, 0), slots_(rows) {}

  std::size_t rows() const { return lengths_.size(); }
  const std::vector<std::int64_t>& lengths() const { return lengths_; }
  std::size_t slots() const { return slots_.empty() ? 0 : slots_[0].size(); }

  // What a model is told about `count` new tokens of each row.
  struct Places {
    std::vector<std::int64_t> tokens;  // [rows, count]
    std::vector<std::int64_t> slots;   // [rows, slots], the new ones at the end
  };
  Places Extend(std::int64_t count) {
    Places places;
    for (std::size_t row = 0; row < rows(); ++row) {
      for (std::int64_t i = 0; i < count; ++i) {
        places.tokens.push_back(lengths_[row]);
        slots_[row].push_back(lengths_[row]++);
      }
      places.slots.insert(places.slots.end(), slots_[row].begin(),
                          slots_[row].end());
    }
    return places;
  }

  void Select(const std::vector<std::int64_t>& rows) {
    SlotTable chosen;
    for (const std::int64_t row : rows) {
      chosen.lengths_.push_back(lengths_.at(static_cast<std::size_t>(row)));
      chosen.slots_.push_back(slots_[static_cast<std::size_t>(row)]);
    }
    *this = std::move(chosen);
  }

  // The rows of `more` behind these; all get as many slots as the longer has.
  void Append(SlotTable more) {
    const std::size_t size = std::max(slots(), more.slots());
    for (auto* table : {this, &more}) {
      for (auto& row : table->slots_) row.resize(size, kNothing);
    }
    lengths_.insert(lengths_.end(), more.lengths_.begin(), more.lengths_.end());
    slots_.insert(slots_.end(), more.slots_.begin(), more.slots_.end());
  }

  // Slots of tokens behind the given lengths hold nothing any more, and those
  // at the end that hold nothing in any row are dropped.
  void Truncate(const std::vector<std::int64_t>& lengths) {
    std::size_t used = 0;
    for (std::size_t row = 0; row < rows(); ++row) {
      for (std::size_t i = 0; i < slots_[row].size(); ++i) {
        if (slots_[row][i] >= lengths[row]) {
          slots_[row][i] = kNothing;
        } else {
          used = std::max(used, i + 1);
        }
      }
    }
    for (auto& row : slots_) row.resize(used);
    lengths_ = lengths;
  }

  // How many slots at the front no later token of any row will see, if tokens
  // see `reach` tokens before their own.
  std::size_t Unseen(std::int64_t reach) const {
    std::size_t unseen = slots();
    for (std::size_t row = 0; row < rows(); ++row) {
      const auto seen = std::find_if(
          slots_[row].begin(), slots_[row].end(), [&](std::int64_t place) {
            return place != kNothing && place + reach >= lengths_[row];
          });
      unseen = std::min(unseen,
                        static_cast<std::size_t>(seen - slots_[row].begin()));
    }
    return unseen;
  }
  void DropFront(std::size_t count) {
    for (auto& row : slots_) {
      row.erase(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(count));
    }
    dropped_ += count;
  }
  // All that were ever dropped: equal in two snapshots, nothing was between.
  std::size_t dropped() const { return dropped_; }

 private:
  std::vector<std::int64_t> lengths_;
  std::vector<std::vector<std::int64_t>> slots_;  // [rows][slots] places
  std::size_t dropped_ = 0;
};

}  // namespace hone
