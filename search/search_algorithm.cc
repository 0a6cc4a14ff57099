#include "search/search_algorithm.h"

namespace hone {
namespace {

constexpr int kMaxDraws = 200;
constexpr std::size_t kEnumerable = 100'000;

}  // namespace

std::vector<std::pair<Architecture, std::string>> DistinctProposals::Next(
    const Draw& draw, Rng& rng) {
  for (int i = 0; i < kMaxDraws; ++i) {
    auto candidate = draw(rng);
    if (proposed_.insert(ArchitectureHash(candidate.first)).second) {
      return {std::move(candidate)};
    }
  }
  if (space_.Size() > static_cast<double>(kEnumerable)) return {};
  std::vector<Architecture> left;
  for (Architecture& member : space_.Enumerate(kEnumerable)) {
    if (!proposed_.contains(ArchitectureHash(member))) {
      left.push_back(std::move(member));
    }
  }
  if (left.empty()) return {};
  const Architecture chosen = rng.Pick(left);
  proposed_.insert(ArchitectureHash(chosen));
  return {{chosen, "remainder"}};
}

}  // namespace hone
