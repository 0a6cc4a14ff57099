#include "train/compress/block_changes.h"

#include <algorithm>

#include "space/base/error.h"
#include "space/network/transformer.h"
#include "train/compress/shrink.h"

namespace hone {
namespace {

class Changing {
 public:
  explicit Changing(const Architecture& network) : network_(network) {}

  // `change` gets a copy of the block, beside the whole network.
  template <typename Change>
  void ForEachBlock(const std::string& kind, bool cut, Change change) {
    for (const char* side : {"encoder", "decoder"}) {
      const bool encoder = side == std::string("encoder");
      const auto& blocks = encoder ? network_.encoder : network_.decoder;
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        BlockChange one{kind, BlockName(side, i), network_, cut};
        change(
            (encoder ? one.architecture.encoder : one.architecture.decoder)[i]);
        if (cut && one.architecture == network_) {
          one.refusal = "there is one already";
        }
        if (cut) {
          Check(one, [&] { CheckCanShrink(network_, one.architecture); });
        }
        changes_.push_back(std::move(one));
      }
    }
  }

  void DropEachBlock() {
    for (const char* side : {"encoder", "decoder"}) {
      const auto& blocks =
          side == std::string("encoder") ? network_.encoder : network_.decoder;
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        const std::string name = BlockName(side, i);
        BlockChange one{"no block", name, WithoutBlock(network_, name), true,
                        true};
        if (blocks.size() == 1) one.refusal = "it is the only one";
        changes_.push_back(std::move(one));
      }
    }
  }

  std::vector<BlockChange> Take() {
    for (BlockChange& one : changes_) {
      Check(one, [&] { CheckArchitecture(one.architecture, one.block); });
    }
    return std::move(changes_);
  }

 private:
  template <typename Checking>
  void Check(BlockChange& one, Checking check) {
    if (!one.refusal.empty()) return;
    try {
      check();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUsage) throw;
      one.refusal = error.what();
    }
  }

  const Architecture& network_;
  std::vector<BlockChange> changes_;
};

}  // namespace

std::vector<BlockChange> BlockChanges(
    const Architecture& network, const std::vector<Precision>& precisions) {
  Changing changing(network);
  for (const Precision& precision : precisions) {
    changing.ForEachBlock(Name(precision), false, [&](BlockSpec& block) {
      block.precision = precision;
    });
  }
  changing.ForEachBlock("half the neurons", true, [](BlockSpec& block) {
    block.feed_forward.width =
        std::max<std::int64_t>(block.feed_forward.width / 2, 1);
  });
  changing.ForEachBlock("half the heads", true, [&](BlockSpec& block) {
    const std::int64_t head_dim = HeadDim(network.stem, block);
    const std::int64_t heads =
        std::max<std::int64_t>(Heads(block.attention) / 2, 1);
    block.attention =
        WithHeads(block.attention, heads).value_or(block.attention);
    block.head_dim = SpelledHeadDim(network.stem, block.attention, head_dim);
  });
  const std::int64_t rank = std::max<std::int64_t>(network.stem.d_model / 4, 1);
  changing.ForEachBlock("rank " + std::to_string(rank), true,
                        [&](BlockSpec& block) { block.rank = rank; });
  changing.DropEachBlock();
  return changing.Take();
}

}  // namespace hone
