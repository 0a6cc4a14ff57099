#include "search/search_algorithm.h"

namespace hone {
namespace {

constexpr int kMaxDraws = 200;
constexpr std::size_t kEnumerable = 100'000;

}  // namespace

std::vector<Proposal> DistinctProposals::Suggest(
    const AlgorithmContext& context, std::int64_t first, int count,
    const Draw& draw) {
  std::vector<Proposal> proposals;
  for (std::int64_t number = first; number < first + count; ++number) {
    Rng rng(context.study_seed, number, "suggest");
    auto draft = Next(number, draw, rng);
    if (!draft) break;
    proposals.push_back({{std::move(draft->architecture), context.fidelity},
                         std::move(draft->origin)});
  }
  return proposals;
}

std::optional<Draft> DistinctProposals::Next(std::int64_t number,
                                             const Draw& draw, Rng& rng) {
  for (int i = 0; i < kMaxDraws; ++i) {
    Draft draft = draw(number, rng);
    if (allowed_(draft.architecture) &&
        space_.ConstraintViolation(draft.architecture).empty() &&
        proposed_.insert(ArchitectureHash(draft.architecture)).second) {
      return draft;
    }
  }
  if (space_.Size() > static_cast<double>(kEnumerable)) return std::nullopt;
  std::vector<Architecture> left;
  for (Architecture& member : space_.Enumerate(kEnumerable)) {
    if (allowed_(member) && !proposed_.contains(ArchitectureHash(member))) {
      left.push_back(std::move(member));
    }
  }
  if (left.empty()) return std::nullopt;
  const Architecture chosen = rng.Pick(left);
  proposed_.insert(ArchitectureHash(chosen));
  return Draft{chosen, "remainder"};
}

}  // namespace hone
