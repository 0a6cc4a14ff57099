#include "eval/faster_layers.h"

#include <cstdint>
#include <variant>
#include <vector>

#include "space/base/error.h"
#include "space/block_layers.h"
#include "space/network/transformer.h"

namespace hone {
namespace {

constexpr double kNoise = 0.02;
constexpr char kEntry[] = "precision of ";

using Roles = std::vector<LinearRole>;

bool IsFaster(double time, double other) { return time < (1 - kNoise) * other; }

// Those of the block that are not in f32, by the tensors that they read.
std::vector<Roles> LowBitGroups(const BlockSpec& block) {
  using enum LinearRole;
  static const std::vector<Roles> kGroups = {{kQuery, kKey, kValue},
                                             {kOutput},
                                             {kCrossQuery},
                                             {kCrossKey, kCrossValue},
                                             {kCrossOutput},
                                             {kUp, kGate},
                                             {kDown}};
  const LinearPrecisions precisions = PrecisionsOf(block);
  std::vector<Roles> groups;
  for (const Roles& all : kGroups) {
    Roles own;
    for (const LinearRole role : all) {
      const auto found = precisions.find(role);
      if (found != precisions.end() && !found->second.IsFloat()) {
        own.push_back(role);
      }
    }
    if (!own.empty()) groups.push_back(own);
  }
  return groups;
}

BlockSpec InF32(BlockSpec block, const Roles& roles) {
  LinearPrecisions precisions = PrecisionsOf(block);
  for (const LinearRole role : roles) precisions[role] = Precision::kF32;
  SetPrecisions(precisions, block);
  return block;
}

// Full attention with as many inputs and outputs, in one head where that can
// be: how a block looks at its tokens changes nothing about its own layers.
void SimplifyAttention(BlockSpec& block) {
  const std::int64_t heads = Heads(block.attention);
  const std::int64_t kv_heads = KeyValueHeads(block.attention);
  const bool one = block.head_dim == 0 && kv_heads == heads;
  block.attention = one ? MultiHead(1) : FullAttention{heads, kv_heads};
  block.products = AttentionProducts::kF32;
}

// One block of the architecture, and of the other side, if there is one, a
// block in f32.
Architecture Alone(const Architecture& whole, const BlockSpec& block,
                   std::vector<BlockSpec> Architecture::*side) {
  Architecture one = WithPrecision(whole, Precision::kF32);
  for (auto* blocks : {&one.encoder, &one.decoder}) {
    if (!blocks->empty()) blocks->resize(1);
  }
  (one.*side)[0] = block;
  for (auto* blocks : {&one.encoder, &one.decoder}) {
    for (BlockSpec& each : *blocks) {
      SimplifyAttention(each);
      if (each.cross) each.cross->layers = 1;
    }
  }
  return one;
}

class Choice {
 public:
  Choice(const Architecture& whole, std::vector<BlockSpec> Architecture::*side,
         const LatencyTable& latencies)
      : whole_(whole), side_(side), latencies_(latencies) {}

  BlockSpec Fastest(const BlockSpec& block) const {
    const std::vector<Roles> groups = LowBitGroups(block);
    if (groups.empty()) return block;
    std::vector<BlockSpec> variants = {block};
    Roles all;
    for (const Roles& group : groups) {
      variants.push_back(InF32(block, group));
      all.insert(all.end(), group.begin(), group.end());
    }
    if (groups.size() > 1) variants.push_back(InF32(block, all));
    const std::vector<double> times = Times(variants);
    Roles gained;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (!IsFaster(times[i + 1], times[0])) continue;
      gained.insert(gained.end(), groups[i].begin(), groups[i].end());
    }
    const BlockSpec together = InF32(block, gained);
    const double together_time = Times({together})[0];
    const bool gain = IsFaster(together_time, times[0]);
    if (IsFaster(times.back(), gain ? together_time : times[0])) {
      return variants.back();
    }
    return gain ? together : block;
  }

 private:
  // As ratios to the reference model, which hold from one run to the next.
  std::vector<double> Times(const std::vector<BlockSpec>& variants) const {
    std::vector<Architecture> networks;
    for (const BlockSpec& one : variants) {
      networks.push_back(Alone(whole_, one, side_));
    }
    std::vector<double> times;
    for (const ProbedLatency& one : latencies_.Get(networks)) {
      times.push_back(one.ratio);
    }
    return times;
  }

  const Architecture& whole_;
  std::vector<BlockSpec> Architecture::*side_;
  const LatencyTable& latencies_;
};

}  // namespace

Architecture WithF32WhereFaster(const Architecture& architecture,
                                const LatencyTable& latencies) {
  Architecture made = architecture;
  for (const auto side : {&Architecture::encoder, &Architecture::decoder}) {
    const Choice choice(architecture, side, latencies);
    for (BlockSpec& block : made.*side) block = choice.Fastest(block);
  }
  return made;
}

Environment PrecisionEntries(const Architecture& exported) {
  Environment entries;
  for (const auto& [name, block] : NamedBlocks(exported)) {
    entries[kEntry + name] = PrecisionText(block);
  }
  return entries;
}

Architecture ExportedArchitecture(const Architecture& architecture,
                                  const Outcome& outcome) {
  Architecture exported = architecture;
  const auto* measured = std::get_if<Measurement>(&outcome);
  if (measured == nullptr) return exported;
  const auto read = [&](const char* side, std::vector<BlockSpec>& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto found =
          measured->environment.find(kEntry + BlockName(side, i));
      if (found == measured->environment.end()) continue;
      SetPrecisionText(found->second, blocks[i]);
    }
  };
  read("encoder", exported.encoder);
  read("decoder", exported.decoder);
  return exported;
}

std::vector<std::string> LayersLeftInF32(const Architecture& asked,
                                         const Architecture& made) {
  const std::vector<NamedBlock> before = NamedBlocks(asked);
  const std::vector<NamedBlock> after = NamedBlocks(made);
  HONE_CHECK_EQ(before.size(), after.size());
  std::vector<std::string> layers;
  for (std::size_t i = 0; i < before.size(); ++i) {
    for (const LinearRole role : LinearRolesOf(before[i].block)) {
      const bool left = !PrecisionOf(before[i].block, role).IsFloat() &&
                        PrecisionOf(after[i].block, role).IsFloat();
      if (left) layers.push_back(before[i].name + "." + Name(role));
    }
  }
  return layers;
}

}  // namespace hone
