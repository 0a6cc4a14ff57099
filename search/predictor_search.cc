#include "search/predictor_search.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "search/expected_hypervolume.h"
#include "search/front_scale.h"
#include "search/individual.h"
#include "space/features.h"
#include "space/gaussian_process.h"
#include "space/variation.h"

namespace hone {
namespace {

constexpr std::size_t kCandidates = 100;  // for each suggestion
constexpr double kRandomShare = 0.1;      // of them
constexpr std::size_t kFewest = 4;        // trials that a model is fitted to
constexpr std::size_t kMembers = 256;     // of the space, that it is scaled by

// The trials' values of one metric, smaller is better, on the scale that they
// are modelled in.
struct Scale {
  explicit Scale(const std::vector<double>& values)
      : logarithmic(std::all_of(values.begin(), values.end(),
                                [](double value) { return value > 0; })) {}
  double operator()(double value) const {
    if (!logarithmic) return value;
    return value > 0 ? std::log(value) : -HUGE_VAL;
  }
  bool logarithmic;
};

// What features of random members of the space tell of features.
struct Members {
  GaussianProcess::Inputs features;
  // Those that depend on precisions.
  std::vector<bool> of_precision;
};

// One metric as the trials so far tell of it.
class MetricModel {
 public:
  MetricModel(const GaussianProcess::Inputs& features,
              const std::vector<double>& values, const Members& members)
      : scale_(values),
        process_(features, Scaled(values), {}, members.features,
                 members.of_precision) {}

  double Scaled(double value) const { return scale_(value); }
  // What would be measured: a front takes a trial with its noise.
  std::vector<Belief> Predict(const GaussianProcess::Inputs& features) const {
    std::vector<Belief> beliefs = process_.Predict(features);
    for (Belief& belief : beliefs) {
      belief.deviation = std::hypot(belief.deviation, process_.noise());
    }
    return beliefs;
  }
  // `value` on the model's scale.
  void Add(const std::vector<double>& features, double value) {
    process_.Add(features, value);
  }

 private:
  std::vector<double> Scaled(std::vector<double> values) const {
    for (double& value : values) value = scale_(value);
    return values;
  }

  Scale scale_;
  GaussianProcess process_;
};

double ProbabilityOf(const Constraint& constraint, const MetricModel& model,
                     const Belief& belief) {
  const double gap = model.Scaled(constraint.bound) - belief.mean;
  const double room = constraint.at_most ? gap : -gap;
  if (!(belief.deviation > 0)) return room >= 0 ? 1 : 0;
  return NormalBelow(room / belief.deviation);
}

// What is believed of a candidate: of each objective, and that it satisfies the
// constraints.
struct Prospect {
  std::vector<Belief> objectives;
  double feasible = 1;
};

// The models of a study, and its front as they see it.
class Surrogate {
 public:
  Surrogate(const AlgorithmContext& context,
            const GaussianProcess::Inputs& features,
            const std::vector<Individual>& trials,
            const std::vector<Point>& constrained, const Members& members)
      : constraints_(context.constraints) {
    const auto column = [](const std::vector<Point>& rows, std::size_t axis) {
      std::vector<double> values;
      for (const Point& row : rows) values.push_back(row[axis]);
      return values;
    };
    std::vector<Point> points;
    for (const Individual& trial : trials) points.push_back(trial.point);
    for (std::size_t i = 0; i < context.objectives.size(); ++i) {
      objectives_.emplace_back(features, column(points, i), members);
    }
    for (std::size_t i = 0; i < constraints_.size(); ++i) {
      bounded_.emplace_back(features, column(constrained, i), members);
    }
    for (Point& point : points) {
      for (std::size_t i = 0; i < point.size(); ++i) {
        point[i] = objectives_[i].Scaled(point[i]);
      }
    }
    reference_ = FrontScale(points).reference();
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (trials[i].violation == 0) feasible_.push_back(points[i]);
    }
  }

  std::vector<Prospect> Look(const GaussianProcess::Inputs& features) const {
    std::vector<Prospect> prospects(features.size());
    for (const MetricModel& model : objectives_) {
      const std::vector<Belief> beliefs = model.Predict(features);
      for (std::size_t i = 0; i < features.size(); ++i) {
        prospects[i].objectives.push_back(beliefs[i]);
      }
    }
    for (std::size_t c = 0; c < constraints_.size(); ++c) {
      const std::vector<Belief> beliefs = bounded_[c].Predict(features);
      for (std::size_t i = 0; i < features.size(); ++i) {
        prospects[i].feasible *=
            ProbabilityOf(constraints_[c], bounded_[c], beliefs[i]);
      }
    }
    return prospects;
  }

  // The place of the most promising one; where none promises anything, of that
  // which satisfies the constraints soonest. Requires: at least one.
  std::size_t Best(const std::vector<Prospect>& prospects) const {
    const ExpectedHypervolume front(feasible_, reference_);
    std::size_t best = 0;
    std::pair<double, double> most = {-1, -1};
    for (std::size_t i = 0; i < prospects.size(); ++i) {
      const double feasible = prospects[i].feasible;
      const std::pair promise = {
          feasible * front.Improvement(prospects[i].objectives), feasible};
      if (promise > most) {
        most = promise;
        best = i;
      }
    }
    return best;
  }

  // Takes what is expected for what will be.
  void Believe(const std::vector<double>& features, const Prospect& prospect) {
    Point point;
    for (std::size_t i = 0; i < objectives_.size(); ++i) {
      point.push_back(prospect.objectives[i].mean);
      objectives_[i].Add(features, point.back());
    }
    for (MetricModel& model : bounded_) {
      model.Add(features, model.Predict({features})[0].mean);
    }
    if (prospect.feasible >= 0.5) feasible_.push_back(std::move(point));
  }

 private:
  std::vector<Constraint> constraints_;
  std::vector<MetricModel> objectives_;
  std::vector<MetricModel> bounded_;  // for each constraint
  std::vector<Point> feasible_;
  Point reference_;
};

class PredictorSearch : public SearchAlgorithm {
 public:
  PredictorSearch(const AlgorithmContext& context,
                  const PredictorSearchOptions& options)
      : context_(context), options_(options), distinct_(*context.space) {
    const SearchSpace& space = *context_.space;
    if (const auto largest = space.Largest()) waiting_.push_back(*largest);
    if (const auto smallest = space.Smallest()) waiting_.push_back(*smallest);
  }

  std::string Name() const override { return "predictor"; }

  std::vector<Proposal> Suggest(std::int64_t first, int count) override {
    std::optional<Surrogate> surrogate;
    if (trials_.size() >= kFewest) {
      surrogate.emplace(context_, Fitted(features_), Fitted(trials_),
                        Fitted(constrained_), SpaceMembers());
    }
    std::int64_t last = -1;
    const auto draw = [&](std::int64_t number, Rng& rng) {
      // Asked again: what is new is running out.
      const bool again = std::exchange(last, number) == number;
      Draft draft = again ? Sampled(rng) : Draw(surrogate, rng);
      known_.insert(draft.architecture);
      return draft;
    };
    return distinct_.Suggest(context_, first, count, draw);
  }

  void Observe(const std::vector<Trial>& trials) override {
    for (const Trial& trial : trials) {
      if (trial.state() != TrialState::kComplete) continue;
      features_.push_back(Features(*context_.space, trial.architecture));
      Point values;
      for (const Constraint& constraint : context_.constraints) {
        values.push_back(ConstrainedValue(trial, constraint));
      }
      constrained_.push_back(std::move(values));
    }
    for (Individual& one : IndividualsOf(trials, context_)) {
      trials_.push_back(std::move(one));
    }
    std::vector<Individual> ranked = trials_;
    RankIndividuals(ranked);
    std::vector<std::size_t> fittest(trials_.size());
    std::iota(fittest.begin(), fittest.end(), std::size_t{0});
    std::stable_sort(fittest.begin(), fittest.end(),
                     [&](std::size_t a, std::size_t b) {
                       return ranked[a].Fitness() < ranked[b].Fitness();
                     });
    parents_.clear();
    for (const std::size_t place : fittest) {
      if (static_cast<std::int64_t>(parents_.size()) == options_.population) {
        break;
      }
      parents_.push_back(trials_[place].architecture);
    }
    ChooseFitted(fittest);
  }

 private:
  // All trials, or the fittest and the last of them, half and half.
  void ChooseFitted(const std::vector<std::size_t>& fittest) {
    const std::size_t all = fittest.size();
    fitted_.clear();
    for (std::size_t i = all - std::min(all, options_.most / 2); i < all; ++i) {
      fitted_.insert(i);
    }
    for (const std::size_t place : fittest) {
      if (fitted_.size() == std::min(all, options_.most)) break;
      fitted_.insert(place);
    }
  }

  template <typename Row>
  std::vector<Row> Fitted(const std::vector<Row>& rows) const {
    std::vector<Row> chosen;
    for (const std::size_t place : fitted_) chosen.push_back(rows[place]);
    return chosen;
  }

  const Members& SpaceMembers() {
    if (members_.features.empty()) {
      const SearchSpace& space = *context_.space;
      Rng rng(context_.study_seed, 0, "members of the space");
      for (std::size_t i = 0; i < kMembers; ++i) {
        const Architecture one = space.Sample(rng);
        std::vector<double> features = Features(space, one);
        const std::vector<double> plain =
            Features(space, WithoutPrecision(one));
        members_.of_precision.resize(features.size());
        for (std::size_t j = 0; j < features.size(); ++j) {
          if (features[j] != plain[j]) members_.of_precision[j] = true;
        }
        members_.features.push_back(std::move(features));
      }
    }
    return members_;
  }

  Draft Sampled(Rng& rng) const {
    return {context_.space->Sample(rng), "random"};
  }

  Draft Draw(std::optional<Surrogate>& surrogate, Rng& rng) {
    if (!waiting_.empty()) {
      const Architecture anchor = waiting_.front();
      waiting_.pop_front();
      return {anchor, "anchor"};
    }
    if (!surrogate || rng.Bernoulli(options_.fresh_share)) return Sampled(rng);
    const std::vector<Architecture> candidates = Candidates(rng);
    if (candidates.empty()) return Sampled(rng);
    GaussianProcess::Inputs features;
    for (const Architecture& one : candidates) {
      features.push_back(Features(*context_.space, one));
    }
    const std::vector<Prospect> prospects = surrogate->Look(features);
    const std::size_t best = surrogate->Best(prospects);
    surrogate->Believe(features[best], prospects[best]);
    return {candidates[best], "predicted"};
  }

  // Distinct, and not proposed before.
  std::vector<Architecture> Candidates(Rng& rng) const {
    std::set<Architecture> candidates;
    for (std::size_t i = 0; i < kCandidates; ++i) {
      Architecture one = Candidate(rng);
      if (!known_.contains(one)) candidates.insert(std::move(one));
    }
    return {candidates.begin(), candidates.end()};
  }

  Architecture Candidate(Rng& rng) const {
    const SearchSpace& space = *context_.space;
    if (rng.Bernoulli(kRandomShare)) return space.Sample(rng);
    const Architecture& mother = rng.Pick(parents_);
    if (!rng.Bernoulli(options_.crossover_rate)) {
      return Mutate(space, mother, options_.mutation_rate, rng);
    }
    return Crossover(space, mother, rng.Pick(parents_), rng);
  }

  AlgorithmContext context_;
  PredictorSearchOptions options_;
  DistinctProposals distinct_;
  std::deque<Architecture> waiting_;
  std::set<Architecture> known_;  // proposed so far
  // Complete trials, with their features and what constraints hold them to.
  std::vector<Individual> trials_;
  GaussianProcess::Inputs features_;
  std::vector<Point> constrained_;
  std::set<std::size_t> fitted_;  // places of those that models see
  Members members_;
  std::vector<Architecture> parents_;
};

}  // namespace

std::unique_ptr<SearchAlgorithm> MakePredictorSearch(
    const AlgorithmContext& context, const PredictorSearchOptions& options) {
  return std::make_unique<PredictorSearch>(context, options);
}

}  // namespace hone
