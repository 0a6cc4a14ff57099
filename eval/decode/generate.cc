#include "eval/decode/generate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "space/base/check_fields.h"
#include "space/base/error.h"

namespace hone {
namespace {

struct Candidate {
  std::int64_t token = 0;
  double weight = 0;  // its probability, before it is normalised
};

bool Likelier(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

double SumOf(const std::vector<Candidate>& candidates) {
  double sum = 0;
  for (const Candidate& one : candidates) sum += one.weight;
  return sum;
}

std::vector<Candidate> Weighed(std::span<const float> logits,
                               double temperature) {
  const float largest = logits[static_cast<std::size_t>(Greedy(logits))];
  HONE_CHECK(std::isfinite(largest));
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double below = static_cast<double>(logits[i]) - largest;
    candidates.push_back(
        {static_cast<std::int64_t>(i), std::exp(below / temperature)});
  }
  return candidates;
}

// How many of the candidates, likeliest first, the nucleus takes.
std::size_t NucleusSize(const std::vector<Candidate>& candidates,
                        double top_p) {
  const double wanted = top_p * SumOf(candidates);
  double sum = 0;
  std::size_t count = 0;
  while (count < candidates.size() && sum < wanted) {
    sum += candidates[count++].weight;
  }
  return count;
}

// One prompt's sampling.
class Sampling : public Decoding {
 public:
  Sampling(std::int64_t number, std::int64_t limit,
           const GenerateOptions& options, std::uint64_t seed)
      : number_(number), limit_(limit), options_(options), seed_(seed) {}

  std::vector<Continuation> Advance(std::span<const float> logits) override {
    Rng rng(seed_, number_, "sample " + std::to_string(tokens_.size()));
    const std::int64_t token = SampleToken(logits, options_, rng);
    if (token == options_.end_token) return {};
    tokens_.push_back(token);
    if (static_cast<std::int64_t>(tokens_.size()) == limit_) return {};
    return {{0, token}};
  }

  const std::vector<std::int64_t>& tokens() const { return tokens_; }

 private:
  const std::int64_t number_;
  const std::int64_t limit_;
  const GenerateOptions& options_;
  const std::uint64_t seed_;
  std::vector<std::int64_t> tokens_;
};

}  // namespace

std::int64_t Greedy(std::span<const float> logits) {
  HONE_CHECK(!logits.empty());
  std::size_t best = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    HONE_CHECK(!std::isnan(logits[i]));
    if (logits[i] > logits[best]) best = i;
  }
  return static_cast<std::int64_t>(best);
}

std::int64_t SampleToken(std::span<const float> logits,
                         const GenerateOptions& options, Rng& rng) {
  if (options.temperature == 0) return Greedy(logits);
  std::vector<Candidate> candidates = Weighed(logits, options.temperature);
  const auto top_k = static_cast<std::size_t>(options.top_k);
  const bool some = top_k > 0 && top_k < candidates.size();
  if (some || options.top_p < 1) {
    const std::size_t count = some ? top_k : candidates.size();
    std::partial_sort(candidates.begin(),
                      candidates.begin() + static_cast<std::ptrdiff_t>(count),
                      candidates.end(), Likelier);
    candidates.resize(count);
  }
  if (options.top_p < 1) {
    candidates.resize(NucleusSize(candidates, options.top_p));
  }
  double rest = rng.Uniform() * SumOf(candidates);
  const Candidate* chosen = nullptr;
  for (const Candidate& one : candidates) {
    if (one.weight == 0) continue;
    chosen = &one;
    rest -= one.weight;
    if (rest < 0) break;
  }
  return chosen->token;
}

std::vector<std::vector<std::int64_t>> Generate(
    StepModel& model, const std::vector<Prompt>& prompts,
    const GenerateOptions& options, std::uint64_t seed) {
  CheckFields(options);
  const StepModelInfo info = model.Info();
  CheckPrompts(prompts, info, options.end_token);
  std::vector<std::unique_ptr<Decoding>> decodings;
  std::vector<const Sampling*> samplings;
  for (std::size_t k = 0; k < prompts.size(); ++k) {
    auto one = std::make_unique<Sampling>(
        static_cast<std::int64_t>(k),
        NewTokenLimit(prompts[k], info, options.max_new_tokens), options, seed);
    samplings.push_back(one.get());
    decodings.push_back(std::move(one));
  }
  DecodeSideBySide(model, prompts, options.batch, decodings);
  std::vector<std::vector<std::int64_t>> results;
  results.reserve(samplings.size());
  for (const Sampling* one : samplings) results.push_back(one->tokens());
  return results;
}

}  // namespace hone
