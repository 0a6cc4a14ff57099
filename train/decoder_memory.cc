#include "train/decoder_memory.h"

#include <algorithm>
#include <limits>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// Zeros behind axis 3 of [B,H,L,S,E] up to `size`.
at::Tensor Padded(const at::Tensor& x, std::int64_t size) {
  if (x.size(3) == size) return x;
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape[3] = size - x.size(3);
  return at::cat({x, at::zeros(shape, x.options())}, 3);
}

// 0 where `seen`, else -infinity.
at::Tensor Additive(const at::Tensor& seen, const at::Tensor& like) {
  return at::zeros(seen.sizes(), like.options().requires_grad(false))
      .masked_fill_(seen.logical_not(), kMinusInfinity);
}

}  // namespace

DecoderMemory::DecoderMemory(std::int64_t rows, std::int64_t capacity)
    : capacity_(capacity), lengths_(static_cast<std::size_t>(rows), 0) {}

std::int64_t DecoderMemory::LongestRow() const {
  return *std::max_element(lengths_.begin(), lengths_.end());
}

bool DecoderMemory::AllAlike() const {
  return std::all_of(lengths_.begin(), lengths_.end(),
                     [&](std::int64_t one) { return one == lengths_.front(); });
}

at::Tensor DecoderMemory::Places(std::int64_t tokens) const {
  return at::tensor(lengths_).unsqueeze(1).add(at::arange(tokens));
}

at::Tensor DecoderMemory::Extend(const std::string& name,
                                 const at::Tensor& x_BKTE) {
  const std::int64_t tokens = x_BKTE.size(2);
  HONE_CHECK_EQ(x_BKTE.size(0), rows());
  HONE_CHECK_LE(LongestRow() + tokens, capacity_);
  auto found = slots_.find(name);
  if (found == slots_.end()) {
    found = slots_
                .emplace(name, at::zeros({rows(), x_BKTE.size(1), capacity_,
                                          x_BKTE.size(3)},
                                         x_BKTE.options()))
                .first;
  }
  at::Tensor& slots = found->second;
  if (AllAlike()) {
    slots.narrow(2, lengths_.front(), tokens).copy_(x_BKTE);
  } else {
    for (std::int64_t row = 0; row < rows(); ++row) {
      slots.select(0, row)
          .narrow(1, lengths_[static_cast<std::size_t>(row)], tokens)
          .copy_(x_BKTE.select(0, row));
    }
  }
  return slots.narrow(2, 0, LongestRow() + tokens);
}

const at::Tensor& DecoderMemory::Mask(std::int64_t tokens,
                                      const AttentionMask& mask,
                                      const at::Tensor& like) {
  const auto [found, made] = masks_.try_emplace({tokens, mask});
  if (made) found->second = MakeMask(tokens, mask, like);
  return found->second;
}

at::Tensor DecoderMemory::MakeMask(std::int64_t tokens,
                                   const AttentionMask& mask,
                                   const at::Tensor& like) const {
  const bool everything = mask.window < 0 && mask.stride == 0;
  if (everything && AllAlike() && tokens == 1) return {};
  const at::Tensor key_1S = at::arange(LongestRow() + tokens).unsqueeze(0);
  const at::Tensor distance_BTS =
      Places(tokens).unsqueeze(2).sub(key_1S.unsqueeze(0));
  at::Tensor seen = distance_BTS.ge(0);
  if (mask.window >= 0) {
    seen = seen.logical_and(distance_BTS.le(mask.window));
  }
  if (mask.stride > 0) {
    seen = seen.logical_and(
        distance_BTS.lt(mask.stride)
            .logical_or(distance_BTS.remainder(mask.stride).eq(0)));
  }
  return Additive(seen, like).unsqueeze(1);
}

at::Tensor DecoderMemory::Sums(const std::string& name,
                               const std::vector<std::int64_t>& dims,
                               const at::Tensor& like) {
  const auto found = sums_.find(name);
  if (found != sums_.end()) return found->second;
  std::vector<std::int64_t> shape = {rows()};
  shape.insert(shape.end(), dims.begin(), dims.end());
  return sums_.emplace(name, at::zeros(shape, like.options())).first->second;
}

void DecoderMemory::SetSums(const std::string& name, const at::Tensor& sums) {
  sums_[name] = sums;
}

void DecoderMemory::Advance(std::int64_t tokens) {
  for (std::int64_t& length : lengths_) length += tokens;
  masks_.clear();
}

void DecoderMemory::AddSource(const at::Tensor& key, const at::Tensor& value,
                              std::int64_t layers) {
  const auto split = [&](const at::Tensor& x) {
    return x.reshape({x.size(0), x.size(1), layers, -1, x.size(3)});
  };
  sources_.push_back({split(key), split(value)});
  source_lengths_.assign(lengths_.size(), key.size(2) / layers);
}

const at::Tensor& DecoderMemory::SourceKey(std::size_t block) const {
  return sources_.at(block).key;
}

const at::Tensor& DecoderMemory::SourceValue(std::size_t block) const {
  return sources_.at(block).value;
}

const at::Tensor& DecoderMemory::SourceMask(std::int64_t keys,
                                            const at::Tensor& like) {
  const auto [found, made] = source_masks_.try_emplace(keys);
  if (made) found->second = MakeSourceMask(keys, like);
  return found->second;
}

at::Tensor DecoderMemory::MakeSourceMask(std::int64_t keys,
                                         const at::Tensor& like) const {
  const std::int64_t longest = sources_.front().key.size(3);
  const bool full = std::all_of(source_lengths_.begin(), source_lengths_.end(),
                                [&](auto one) { return one == longest; });
  if (full) return {};
  const at::Tensor seen_BS = at::arange(longest).unsqueeze(0).lt(
      at::tensor(source_lengths_).unsqueeze(1));
  return Additive(seen_BS.repeat({1, keys / longest}), like)
      .unsqueeze(1)
      .unsqueeze(1);
}

void DecoderMemory::Select(const std::vector<std::int64_t>& rows) {
  const at::Tensor index = at::tensor(rows);
  std::vector<std::int64_t> lengths;
  std::vector<std::int64_t> source_lengths;
  for (const std::int64_t row : rows) {
    lengths.push_back(lengths_.at(static_cast<std::size_t>(row)));
    if (!sources_.empty()) {
      source_lengths.push_back(
          source_lengths_.at(static_cast<std::size_t>(row)));
    }
  }
  for (auto& [name, slots] : slots_) slots = slots.index_select(0, index);
  for (auto& [name, sums] : sums_) sums = sums.index_select(0, index);
  for (Source& source : sources_) {
    source.key = source.key.index_select(0, index);
    source.value = source.value.index_select(0, index);
  }
  lengths_ = std::move(lengths);
  source_lengths_ = std::move(source_lengths);
  masks_.clear();
  source_masks_.clear();
}

void DecoderMemory::Append(const DecoderMemory& more) {
  HONE_CHECK_EQ(capacity_, more.capacity_);
  HONE_CHECK_EQ(sources_.size(), more.sources_.size());
  const auto join = [&](std::map<std::string, at::Tensor>& mine,
                        const std::map<std::string, at::Tensor>& others) {
    for (const auto& [name, tensor] : others) {
      const auto found = mine.find(name);
      std::vector<std::int64_t> shape = tensor.sizes().vec();
      shape[0] = rows();
      const at::Tensor front = found == mine.end()
                                   ? at::zeros(shape, tensor.options())
                                   : found->second;
      mine[name] = at::cat({front, tensor}, 0);
    }
    for (auto& [name, tensor] : mine) {
      if (others.contains(name)) continue;
      std::vector<std::int64_t> shape = tensor.sizes().vec();
      shape[0] = more.rows();
      tensor = at::cat({tensor, at::zeros(shape, tensor.options())}, 0);
    }
  };
  join(slots_, more.slots_);
  join(sums_, more.sums_);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const std::int64_t longest =
        std::max(sources_[i].key.size(3), more.sources_[i].key.size(3));
    const auto both = [&](const at::Tensor& a, const at::Tensor& b) {
      return at::cat({Padded(a, longest), Padded(b, longest)}, 0);
    };
    sources_[i].key = both(sources_[i].key, more.sources_[i].key);
    sources_[i].value = both(sources_[i].value, more.sources_[i].value);
  }
  lengths_.insert(lengths_.end(), more.lengths_.begin(), more.lengths_.end());
  source_lengths_.insert(source_lengths_.end(), more.source_lengths_.begin(),
                         more.source_lengths_.end());
  masks_.clear();
  source_masks_.clear();
}

void DecoderMemory::Truncate(const std::vector<std::int64_t>& lengths) {
  HONE_CHECK_EQ(lengths.size(), lengths_.size());
  for (std::size_t row = 0; row < lengths.size(); ++row) {
    HONE_CHECK_LE(lengths[row], lengths_[row]);
  }
  lengths_ = lengths;
  masks_.clear();
}

}  // namespace hone
