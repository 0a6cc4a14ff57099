#include "search/random_search.h"

namespace hone {
namespace {

class RandomSearch : public SearchAlgorithm {
 public:
  explicit RandomSearch(const AlgorithmContext& context)
      : context_(context), distinct_(*context.space) {}

  std::string Name() const override { return "random"; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    std::vector<Proposal> proposals;
    for (std::int64_t number = first; number < first + count; ++number) {
      Rng rng(context_.study_seed, number, "suggest");
      for (auto& [architecture, origin] : distinct_.Next(
               [&](Rng& stream) {
                 return std::pair(context_.space->Sample(stream),
                                  std::string("random"));
               },
               rng)) {
        proposals.push_back(
            {{std::move(architecture), context_.fidelity}, origin});
      }
    }
    return proposals;
  }

  void Observe(const std::vector<Trial>&) override {}

 private:
  AlgorithmContext context_;
  DistinctProposals distinct_;
};

}  // namespace

std::unique_ptr<SearchAlgorithm> MakeRandomSearch(
    const AlgorithmContext& context) {
  return std::make_unique<RandomSearch>(context);
}

}  // namespace hone
