#include "eval/faster_layers.h"

#include <vector>

#include "space/base/error.h"
#include "space/block_layers.h"

namespace hone {
namespace {

constexpr double kNoise = 0.01;

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
// be: how a block looks at its tokens changes nothing about its layers.
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
    variants.push_back(InF32(block, all));
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

std::vector<std::string> LayersLeftInF32(const Architecture& asked,
                                         const Architecture& made) {
  std::vector<std::string> layers;
  const auto add = [&](const std::string& side,
                       const std::vector<BlockSpec>& before,
                       const std::vector<BlockSpec>& after) {
    HONE_CHECK_EQ(before.size(), after.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
      for (const LinearRole role : LinearRolesOf(before[i])) {
        if (PrecisionOf(before[i], role).IsFloat() ||
            !PrecisionOf(after[i], role).IsFloat()) {
          continue;
        }
        layers.push_back(side + "." + std::to_string(i) + "." + Name(role));
      }
    }
  };
  add("encoder", asked.encoder, made.encoder);
  add("decoder", asked.decoder, made.decoder);
  return layers;
}

}  // namespace hone
