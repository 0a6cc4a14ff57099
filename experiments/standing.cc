#include "experiments/standing.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "experiments/report.h"
#include "search/pareto.h"

namespace hone {
namespace {

constexpr std::size_t kRivalsShown = 5;

Rival Beside(const Trial& trial, const Trial& other, const StudyInfo& study) {
  const Point own = MinimizedValues(trial, study.objectives);
  const Point values = MinimizedValues(other, study.objectives);
  Rival rival{other.number, ShortText(other.architecture), {}};
  for (std::size_t i = 0; i < own.size(); ++i) {
    Rival::Difference difference{study.objectives[i].metric,
                                 own[i] - values[i]};
    if (own[i] != 0) difference.share = difference.amount / std::abs(own[i]);
    rival.by.push_back(std::move(difference));
  }
  return rival;
}

// For each objective the nearest of those that are better in it.
std::vector<Rival> NeighboursOf(const Trial& trial,
                                const std::vector<Trial>& front,
                                const StudyInfo& study) {
  std::vector<Rival> neighbours;
  for (std::size_t i = 0; i < study.objectives.size(); ++i) {
    std::optional<Rival> next;
    for (const Trial& other : front) {
      Rival rival = Beside(trial, other, study);
      const double amount = rival.by[i].amount;
      if (amount > 0 && (!next || amount < next->by[i].amount)) {
        next = std::move(rival);
      }
    }
    const bool known =
        !next ||
        std::any_of(neighbours.begin(), neighbours.end(),
                    [&](const Rival& r) { return r.number == next->number; });
    if (!known) neighbours.push_back(*std::move(next));
  }
  return neighbours;
}

std::vector<Excess> BrokenBy(const Trial& trial, const StudyInfo& study) {
  std::vector<Excess> broken;
  for (const Constraint& constraint : study.constraints) {
    const double value = ConstrainedValue(trial, constraint);
    if (Holds(constraint, value)) continue;
    const auto& metrics = std::get<Measurement>(trial.outcome).metrics;
    broken.push_back(
        {constraint, value, value != metrics.at(constraint.metric).value});
  }
  return broken;
}

// Of all objectives in which no trial of the front is better.
std::string BestIn(const Standing& standing, const StudyInfo& study) {
  std::string names;
  for (std::size_t i = 0; i < study.objectives.size(); ++i) {
    const bool beaten =
        std::any_of(standing.neighbours.begin(), standing.neighbours.end(),
                    [&](const Rival& rival) { return rival.by[i].amount > 0; });
    if (beaten) continue;
    names += (names.empty() ? "" : ", ") + study.objectives[i].metric;
  }
  return names;
}

Table RivalTable(const std::vector<Rival>& rivals) {
  Table table{{{"trial", true},
               {"objective"},
               {"better by", true},
               {"", true},
               {"architecture"}},
              {}};
  for (std::size_t i = 0; i < rivals.size() && i < kRivalsShown; ++i) {
    const Rival& rival = rivals[i];
    for (const Rival::Difference& difference : rival.by) {
      const bool first = &difference == &rival.by.front();
      table.AddRow({first ? std::to_string(rival.number) : "",
                    difference.metric, NumberText(difference.amount),
                    difference.share ? PercentText(*difference.share) : "",
                    first ? rival.architecture : ""});
    }
  }
  return table;
}

std::string RivalText(const std::vector<Rival>& rivals) {
  std::string text = ToText(RivalTable(rivals));
  if (rivals.size() > kRivalsShown) {
    text += "and " + std::to_string(rivals.size() - kRivalsShown) +
            " more; --json has all\n";
  }
  return text;
}

std::string ExcessText(const Excess& excess) {
  const double beyond = std::abs(excess.value - excess.constraint.bound);
  std::string text =
      "  " + ToText(excess.constraint) +
      (excess.of_interval ? ": its interval goes to " : ": it is ") +
      NumberText(excess.value) + ", " + NumberText(beyond) +
      (excess.constraint.at_most ? " above" : " below");
  if (excess.constraint.bound != 0) {
    text += " (" + PercentText(beyond / std::abs(excess.constraint.bound)) +
            " of the bound)";
  }
  return text + "\n";
}

Json RivalsToJson(const std::vector<Rival>& rivals) {
  Json json = Json::array();
  for (const Rival& rival : rivals) {
    Json by = Json::object();
    Json share = Json::object();
    for (const Rival::Difference& difference : rival.by) {
      by[difference.metric] = difference.amount;
      if (difference.share) share[difference.metric] = *difference.share;
    }
    json.push_back({{"trial", rival.number}, {"by", by}, {"share", share}});
  }
  return json;
}

}  // namespace

Standing StandingOf(const Trial& trial, const std::vector<Trial>& front,
                    const StudyInfo& study) {
  Standing standing;
  if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
    standing.failure = *failure;
    return standing;
  }
  standing.broken = BrokenBy(trial, study);
  if (!standing.broken.empty()) return standing;
  if (!IsFull(trial.fidelity)) standing.estimate = trial.fidelity;
  const Point own = MinimizedValues(trial, study.objectives);
  for (const Trial& other : front) {
    standing.on_front = standing.on_front || other.number == trial.number;
    if (Dominates(MinimizedValues(other, study.objectives), own)) {
      standing.dominators.push_back(Beside(trial, other, study));
    }
  }
  if (standing.on_front) {
    standing.neighbours = NeighboursOf(trial, front, study);
  }
  return standing;
}

std::string StandingLine(const Standing& standing) {
  if (standing.failure) return {};
  if (standing.on_front) return "On the front: no trial dominates it.\n";
  if (!standing.broken.empty()) {
    return "Not on the front: it breaks " +
           ToText(standing.broken.front().constraint) + ".\n";
  }
  const std::size_t count = standing.dominators.size();
  std::string start = "Not on the front";
  if (standing.estimate) {
    start = "An estimate of fidelity '" +
            std::string(Name(*standing.estimate)) +
            "', and so not on the front";
  }
  if (count == 0) {
    return start + (standing.estimate ? ", where no trial dominates it.\n"
                                      : ", and not compared with it.\n");
  }
  return start + ": " + std::to_string(count) +
         (count == 1 ? " trial of it dominates" : " trials of it dominate") +
         " this one.\n";
}

std::string StandingPage(const Trial& trial, const Standing& standing,
                         const StudyInfo& study) {
  std::ostringstream out;
  out << TrialHeading(trial, study) << ShortText(trial.architecture) << "\n\n";
  if (standing.failure) {
    out << "Not on the front: it failed (" << Printable(standing.failure->code)
        << "): " << Printable(standing.failure->reason) << "\n";
    return out.str();
  }
  out << StandingLine(standing);
  for (const Excess& excess : standing.broken) out << ExcessText(excess);
  if (!standing.dominators.empty()) {
    out << "\n" << RivalText(standing.dominators);
  }
  if (!standing.on_front) return out.str();
  const std::string best = BestIn(standing, study);
  if (!best.empty()) out << "No trial is better in " << best << ".\n";
  if (!standing.neighbours.empty()) {
    out << "\nNext better in each objective; less than 0: worse\n"
        << RivalText(standing.neighbours);
  }
  return out.str();
}

Json ToJson(const Standing& standing) {
  Json breaks = Json::array();
  for (const Excess& excess : standing.broken) {
    breaks.push_back({{"constraint", ToText(excess.constraint)},
                      {"value", excess.value},
                      {"of_interval", excess.of_interval}});
  }
  Json json = {
      {"on_front", standing.on_front},
      {"estimate", standing.estimate ? Json(Name(*standing.estimate)) : Json()},
      {"dominated_by", RivalsToJson(standing.dominators)},
      {"neighbours", RivalsToJson(standing.neighbours)},
      {"breaks", breaks}};
  if (standing.failure) {
    json["failure"] = {{"code", standing.failure->code},
                       {"reason", standing.failure->reason}};
  }
  return json;
}

}  // namespace hone
