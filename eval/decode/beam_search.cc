#include "eval/decode/beam_search.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <utility>

#include "space/base/check_fields.h"
#include "space/base/error.h"

namespace hone {
namespace {

struct Live {
  std::vector<std::int64_t> tokens;
  double log_probability = 0;
};

// A live hypothesis with one more token.
struct Candidate {
  std::int64_t row = 0;
  std::int64_t token = 0;
  double log_probability = 0;
  float logit = 0;  // else beam 1 could differ from Greedy by rounding
};

bool Before(const Candidate& a, const Candidate& b) {
  if (a.log_probability != b.log_probability) {
    return a.log_probability > b.log_probability;
  }
  if (a.row != b.row) return a.row < b.row;
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// log sum exp of the logits.
double LogNormalizer(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float one : logits) sum += std::exp(one - largest);
  const double normalizer = largest + std::log(sum);
  HONE_CHECK(std::isfinite(normalizer));
  return normalizer;
}

// The search for one prompt.
class Search : public Decoding {
 public:
  Search(std::int64_t limit, const BeamOptions& options)
      : limit_(limit), options_(options), live_(1) {}

  std::vector<Continuation> Advance(std::span<const float> logits) override {
    std::vector<Live> live;
    std::vector<Continuation> continuations;
    for (const Candidate& one : BestContinuations(logits)) {
      Live next = live_[static_cast<std::size_t>(one.row)];
      next.log_probability = one.log_probability;
      const bool ends = one.token == options_.end_token;
      if (!ends) next.tokens.push_back(one.token);
      if (ends || length_ + 1 == limit_) {
        Finish(std::move(next), ends);
      } else {
        live.push_back(std::move(next));
        continuations.push_back({one.row, one.token});
      }
    }
    ++length_;
    live_ = std::move(live);
    if (options_.early_stop && IsSettled()) return {};
    return continuations;
  }

  const std::vector<Hypothesis>& finished() const { return finished_; }

 private:
  // At most `beam`, likeliest first.
  std::vector<Candidate> BestContinuations(
      std::span<const float> logits) const {
    const std::size_t vocabulary = logits.size() / live_.size();
    std::vector<Candidate> candidates;
    candidates.reserve(logits.size());
    for (std::size_t row = 0; row < live_.size(); ++row) {
      const auto own = logits.subspan(row * vocabulary, vocabulary);
      const double normalizer = LogNormalizer(own);
      for (std::size_t token = 0; token < vocabulary; ++token) {
        // The rounding of the normalizer must not lift a certain token above 0.
        const double added = std::min(0.0, own[token] - normalizer);
        if (std::isinf(added)) continue;
        candidates.push_back({static_cast<std::int64_t>(row),
                              static_cast<std::int64_t>(token),
                              live_[row].log_probability + added, own[token]});
      }
    }
    const std::size_t count =
        std::min(candidates.size(), static_cast<std::size_t>(options_.beam));
    std::partial_sort(candidates.begin(),
                      candidates.begin() + static_cast<std::ptrdiff_t>(count),
                      candidates.end(), Before);
    candidates.resize(count);
    return candidates;
  }

  // A text of one token more than the live ones; keeps the best.
  void Finish(Live live, bool ended) {
    const double score = live.log_probability /
                         LengthPenalty(length_ + 1, options_.length_penalty);
    const auto place = std::upper_bound(
        finished_.begin(), finished_.end(), score,
        [](double value, const Hypothesis& one) { return value > one.score; });
    finished_.insert(
        place, {std::move(live.tokens), live.log_probability, score, ended});
    if (IsFull(1)) finished_.pop_back();
  }

  // Whether there are `more` beyond what is returned.
  bool IsFull(std::size_t more) const {
    return finished_.size() >=
           static_cast<std::size_t>(options_.hypotheses) + more;
  }

  bool IsSettled() const {
    if (live_.empty()) return true;
    // The first is the likeliest.
    const double best = live_[0].log_probability /
                        LengthPenalty(limit_, options_.length_penalty);
    return IsFull(0) && finished_.back().score >= best;
  }

  const std::int64_t limit_;
  const BeamOptions& options_;
  std::int64_t length_ = 0;  // of each live hypothesis
  std::vector<Live> live_;
  std::vector<Hypothesis> finished_;
};

}  // namespace

double LengthPenalty(std::int64_t length, double alpha) {
  return std::pow((5 + static_cast<double>(length)) / 6, alpha);
}

std::vector<std::vector<Hypothesis>> BeamSearch(
    StepModel& model, const std::vector<Prompt>& prompts,
    const BeamOptions& options) {
  CheckFields(options);
  const StepModelInfo info = model.Info();
  CheckPrompts(prompts, info, options.end_token);
  std::vector<std::unique_ptr<Decoding>> decodings;
  std::vector<const Search*> searches;
  for (const Prompt& prompt : prompts) {
    auto one = std::make_unique<Search>(
        NewTokenLimit(prompt, info, options.max_new_tokens), options);
    searches.push_back(one.get());
    decodings.push_back(std::move(one));
  }
  DecodeSideBySide(model, prompts, options.batch, decodings);
  std::vector<std::vector<Hypothesis>> results;
  results.reserve(searches.size());
  for (const Search* one : searches) results.push_back(one->finished());
  return results;
}

}  // namespace hone
