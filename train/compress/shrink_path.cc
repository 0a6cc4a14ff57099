#include "train/compress/shrink_path.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/compress/shrink.h"

namespace hone {
namespace {

// How far the path has come: `done` of `rounds`.
struct Share {
  std::int64_t done = 0;
  std::int64_t rounds = 1;
};

// The multiple of `unit` nearest to the geometric mean. Requires: both sizes
// are multiples.
std::int64_t Between(std::int64_t larger, std::int64_t smaller,
                     const Share& share, std::int64_t unit = 1) {
  const auto a = static_cast<double>(larger);
  const auto b = static_cast<double>(smaller);
  const double exact =
      a * std::pow(b / a, static_cast<double>(share.done) /
                              static_cast<double>(share.rounds));
  const std::int64_t rounded =
      unit * std::llround(exact / static_cast<double>(unit));
  return std::clamp(rounded, smaller, larger);
}

std::int64_t WidthUnit(const Architecture& architecture) {
  std::int64_t unit = 1;
  for (const BlockSpec& block : architecture.decoder) {
    if (block.cross) unit = std::lcm(unit, block.cross->heads);
  }
  return unit;
}

// `larger` with sizes on the way to those of `smaller`; heads keep `head_dim`.
BlockSpec BlockBetween(const BlockSpec& larger, const BlockSpec& smaller,
                       std::int64_t head_dim, const Share& share) {
  BlockSpec block = larger;
  const std::int64_t heads =
      Between(Heads(larger.attention), Heads(smaller.attention), share);
  block.attention = WithHeads(larger.attention, heads).value();
  block.head_dim = head_dim;
  block.feed_forward.width =
      Between(larger.feed_forward.width, smaller.feed_forward.width, share);
  return block;
}

// A block with the least, or the largest, numbers of all.
BlockSpec Bound(const std::vector<BlockSpec>& blocks, bool largest) {
  const auto choose = [&](std::int64_t a, std::int64_t b) {
    return largest ? std::max(a, b) : std::min(a, b);
  };
  BlockSpec bound = blocks.front();
  for (const BlockSpec& block : blocks) {
    bound.attention = WithHeads(bound.attention, choose(Heads(bound.attention),
                                                        Heads(block.attention)))
                          .value();
    bound.feed_forward.width =
        choose(bound.feed_forward.width, block.feed_forward.width);
  }
  return bound;
}

std::vector<BlockSpec> SideBetween(const StemSpec& stem,
                                   const std::vector<BlockSpec>& larger,
                                   const std::vector<BlockSpec>& smaller,
                                   const Share& share) {
  std::vector<BlockSpec> blocks;
  if (larger.size() == smaller.size()) {
    for (std::size_t i = 0; i < larger.size(); ++i) {
      blocks.push_back(
          BlockBetween(larger[i], smaller[i], HeadDim(stem, larger[i]), share));
    }
    return blocks;
  }
  const auto count = Between(static_cast<std::int64_t>(larger.size()),
                             static_cast<std::int64_t>(smaller.size()), share);
  const BlockSpec block =
      BlockBetween(Bound(larger, false), Bound(smaller, true),
                   HeadDim(stem, larger.front()), share);
  blocks.assign(static_cast<std::size_t>(count), block);
  return blocks;
}

}  // namespace

std::vector<Architecture> ShrinkPath(const Architecture& larger,
                                     const Architecture& smaller,
                                     std::int64_t rounds) {
  std::vector<Architecture> path;
  const std::int64_t unit = WidthUnit(larger);
  for (std::int64_t round = 1; round < rounds; ++round) {
    const Share share{round, rounds};
    Architecture between = larger;
    between.stem.d_model =
        Between(larger.stem.d_model, smaller.stem.d_model, share, unit);
    between.encoder =
        SideBetween(larger.stem, larger.encoder, smaller.encoder, share);
    between.decoder =
        SideBetween(larger.stem, larger.decoder, smaller.decoder, share);
    for (auto* blocks : {&between.encoder, &between.decoder}) {
      for (BlockSpec& block : *blocks) {
        block.head_dim =
            SpelledHeadDim(between.stem, block.attention, block.head_dim);
      }
    }
    if (between != (path.empty() ? larger : path.back())) {
      path.push_back(std::move(between));
    }
  }
  if (path.empty() || path.back() != smaller) path.push_back(smaller);
  return path;
}

}  // namespace hone
