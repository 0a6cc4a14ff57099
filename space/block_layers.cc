#include "space/block_layers.h"

#include <algorithm>
#include <sstream>

#include "space/base/error.h"

namespace hone {
namespace {

// "query", "cross.key", "down".
std::string ShortName(LinearRole role) {
  const std::string name = Name(role);
  return name.starts_with("cross.") ? name : name.substr(name.find('.') + 1);
}

}  // namespace

std::vector<LinearRole> LinearRolesOf(const BlockSpec& block) {
  using enum LinearRole;
  std::vector<LinearRole> roles = {kQuery, kKey, kValue, kOutput};
  if (block.cross) {
    roles.insert(roles.end(),
                 {kCrossQuery, kCrossKey, kCrossValue, kCrossOutput});
  }
  roles.push_back(kUp);
  if (block.feed_forward.activation == Activation::kSwiglu) {
    roles.push_back(kGate);
  }
  roles.push_back(kDown);
  return roles;
}

LinearSize LinearSizeOf(const StemSpec& stem, const BlockSpec& block,
                        LinearRole role) {
  const std::int64_t head_dim = HeadDim(stem, block);
  const std::int64_t width = block.feed_forward.width;
  switch (role) {
    case LinearRole::kQuery:
      return {stem.d_model, Heads(block.attention) * head_dim};
    case LinearRole::kKey:
    case LinearRole::kValue:
      return {stem.d_model, KeyValueHeads(block.attention) * head_dim};
    case LinearRole::kOutput:
      return {Heads(block.attention) * head_dim, stem.d_model};
    case LinearRole::kCrossQuery:
    case LinearRole::kCrossKey:
    case LinearRole::kCrossValue:
    case LinearRole::kCrossOutput:
      return {stem.d_model, stem.d_model};
    case LinearRole::kUp:
    case LinearRole::kGate:
      return {stem.d_model, width};
    case LinearRole::kDown:
      break;
  }
  return {width, stem.d_model};
}

bool HasFactoredLayer(const StemSpec& stem, const BlockSpec& block) {
  const std::vector<LinearRole> roles = LinearRolesOf(block);
  return std::any_of(roles.begin(), roles.end(), [&](LinearRole role) {
    const LinearSize size = LinearSizeOf(stem, block, role);
    return IsFactored(block.rank, size.in, size.out);
  });
}

Precision PrecisionOf(const BlockSpec& block, LinearRole role) {
  const auto found = block.linears.find(role);
  return found == block.linears.end() ? block.precision : found->second;
}

LinearPrecisions PrecisionsOf(const BlockSpec& block) {
  LinearPrecisions precisions;
  for (const LinearRole role : LinearRolesOf(block)) {
    precisions[role] = PrecisionOf(block, role);
  }
  return precisions;
}

void SetPrecisions(const LinearPrecisions& precisions, BlockSpec& block) {
  const std::vector<LinearRole> roles = LinearRolesOf(block);
  const auto count = [&](const Precision& precision) {
    return std::count_if(roles.begin(), roles.end(), [&](LinearRole role) {
      return precisions.at(role) == precision;
    });
  };
  block.precision = precisions.at(roles.front());
  for (const LinearRole role : roles) {
    const Precision& own = precisions.at(role);
    if (count(own) > count(block.precision)) block.precision = own;
  }
  block.linears.clear();
  for (const LinearRole role : roles) {
    const Precision& own = precisions.at(role);
    if (own != block.precision) block.linears[role] = own;
  }
}

Architecture WithPrecision(Architecture architecture,
                           const Precision& precision) {
  for (auto* blocks : {&architecture.encoder, &architecture.decoder}) {
    for (BlockSpec& block : *blocks) {
      block.precision = precision;
      block.linears.clear();
    }
  }
  return architecture;
}

std::string PrecisionText(const BlockSpec& block) {
  std::string text = Name(block.precision);
  for (const auto& [role, precision] : block.linears) {
    text += " " + ShortName(role) + "=" + Name(precision);
  }
  return text;
}

void SetPrecisionText(const std::string& text, BlockSpec& block) {
  std::istringstream words(text);
  std::string word;
  words >> word;
  const Precision most = ParsePrecision(word);
  LinearPrecisions precisions = PrecisionsOf(block);
  for (auto& [role, precision] : precisions) precision = most;
  while (words >> word) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const auto found = std::find_if(
        precisions.begin(), precisions.end(),
        [&](const auto& one) { return ShortName(one.first) == name; });
    if (equals == std::string::npos || found == precisions.end()) {
      throw Error(ErrorCode::kUsage,
                  word +
                      ": no precision of a layer of the block, as in "
                      "\"down=w4\"");
    }
    found->second = ParsePrecision(word.substr(equals + 1));
  }
  SetPrecisions(precisions, block);
}

BlockSpec Canonical(const StemSpec& stem, BlockSpec block) {
  if (block.head_dim * Heads(block.attention) == stem.d_model) {
    block.head_dim = 0;
  }
  if (!HasFactoredLayer(stem, block)) block.rank = 0;
  SetPrecisions(PrecisionsOf(block), block);
  return block;
}

}  // namespace hone
