#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "space/network/network_ops.h"

namespace hone {

// What the rows of a batch have read, for EagerOps. Keys and values lie in
// buffers of `capacity` tokens that are made once; a token's slot is its place,
// so rows may have read different numbers of tokens. Sums of linear attention
// and the encoded source are kept beside. Not thread-safe.
class DecoderMemory {
 public:
  DecoderMemory(std::int64_t rows, std::int64_t capacity);

  const std::vector<std::int64_t>& lengths() const { return lengths_; }
  std::int64_t rows() const {
    return static_cast<std::int64_t>(lengths_.size());
  }
  std::int64_t capacity() const { return capacity_; }

  // Places of the next `tokens` tokens of each row. int64 [B,T]
  at::Tensor Places(std::int64_t tokens) const;
  // Writes x [B,K,T,E] behind what each row has, and returns the slots in use
  // after it, [B,K,S,E].
  at::Tensor Extend(const std::string& name, const at::Tensor& x_BKTE);
  // Which slots the next tokens may see: 0 or -infinity, [B,1,T,S]; undefined
  // where all may see all. Made once for all blocks of a step.
  const at::Tensor& Mask(std::int64_t tokens, const AttentionMask& mask,
                         const at::Tensor& like);
  // The sums under a name: zeros [B, dims...] at first.
  at::Tensor Sums(const std::string& name,
                  const std::vector<std::int64_t>& dims,
                  const at::Tensor& like);
  void SetSums(const std::string& name, const at::Tensor& sums);
  bool HasSums() const { return !sums_.empty(); }
  // After a network has read `tokens` tokens of each row.
  void Advance(std::int64_t tokens);

  // One decoder block's encoded source, in block order; keys and values
  // [B,H,S * layers,E], all of whose tokens are real.
  void AddSource(const at::Tensor& key, const at::Tensor& value,
                 std::int64_t layers);
  std::size_t Sources() const { return sources_.size(); }
  const at::Tensor& SourceKey(std::size_t block) const;
  const at::Tensor& SourceValue(std::size_t block) const;
  // 0 or -infinity for `keys` keys, [B,1,1,keys]; undefined where all are real.
  // Made once for all blocks until rows change.
  const at::Tensor& SourceMask(std::int64_t keys, const at::Tensor& like);

  void Select(const std::vector<std::int64_t>& rows);
  void Append(const DecoderMemory& more);
  // Shortens rows; sums must be brought back by the caller (see Snapshot).
  void Truncate(const std::vector<std::int64_t>& lengths);
  std::map<std::string, at::Tensor> Snapshot() const { return sums_; }
  void Restore(std::map<std::string, at::Tensor> sums) {
    sums_ = std::move(sums);
  }

 private:
  struct Source {
    at::Tensor key;  // [B,H,layers,S,E]
    at::Tensor value;
  };
  std::int64_t LongestRow() const;
  bool AllAlike() const;
  at::Tensor MakeMask(std::int64_t tokens, const AttentionMask& mask,
                      const at::Tensor& like) const;
  at::Tensor MakeSourceMask(std::int64_t keys, const at::Tensor& like) const;

  std::int64_t capacity_;
  std::vector<std::int64_t> lengths_;
  std::map<std::string, at::Tensor> slots_;  // [B,K,capacity,E]
  std::map<std::string, at::Tensor> sums_;
  std::vector<Source> sources_;
  std::vector<std::int64_t> source_lengths_;
  // Of the rows and lengths as they are.
  std::map<std::pair<std::int64_t, AttentionMask>, at::Tensor> masks_;
  std::map<std::int64_t, at::Tensor> source_masks_;
};

}  // namespace hone
