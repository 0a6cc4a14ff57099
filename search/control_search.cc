#include "search/control_search.h"

#include <algorithm>

namespace hone {
namespace {

class RandomSearch : public SearchAlgorithm {
 public:
  explicit RandomSearch(const AlgorithmContext& context)
      : context_(context), distinct_(*context.space) {}

  std::string Name() const override { return "random"; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    return distinct_.Suggest(
        context_, first, count, [&](std::int64_t, Rng& rng) {
          return Draft{context_.space->Sample(rng), "random"};
        });
  }

  void Observe(const std::vector<Trial>&) override {}

 private:
  AlgorithmContext context_;
  DistinctProposals distinct_;
};

bool AllAlike(const std::vector<BlockSpec>& blocks) {
  return std::adjacent_find(blocks.begin(), blocks.end(),
                            std::not_equal_to<>()) == blocks.end();
}

bool IsUniform(const Architecture& architecture) {
  return AllAlike(architecture.encoder) && AllAlike(architecture.decoder);
}

class UniformScaling : public SearchAlgorithm {
 public:
  explicit UniformScaling(const AlgorithmContext& context)
      : context_(context), distinct_(*context.space, IsUniform) {}

  std::string Name() const override { return "uniform-scaling"; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    return distinct_.Suggest(context_, first, count,
                             [&](std::int64_t, Rng& rng) {
                               return Draft{Draw(rng), "uniform"};
                             });
  }

  void Observe(const std::vector<Trial>&) override {}

 private:
  // The first block of a sample, for all of its side.
  Architecture Draw(Rng& rng) const {
    Architecture sample = context_.space->Sample(rng);
    for (auto* blocks : {&sample.encoder, &sample.decoder}) {
      for (BlockSpec& block : *blocks) block = blocks->front();
    }
    return sample;
  }

  AlgorithmContext context_;
  DistinctProposals distinct_;
};

}  // namespace

std::unique_ptr<SearchAlgorithm> MakeRandomSearch(
    const AlgorithmContext& context) {
  return std::make_unique<RandomSearch>(context);
}

std::unique_ptr<SearchAlgorithm> MakeUniformScaling(
    const AlgorithmContext& context) {
  return std::make_unique<UniformScaling>(context);
}

}  // namespace hone
