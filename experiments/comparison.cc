#include "experiments/comparison.h"

#include <algorithm>

#include "experiments/report.h"
#include "search/pareto.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr double kReference = 1.1;

std::vector<Point> PointsOf(const StudyView& study) {
  std::vector<Point> points;
  for (const Trial& trial : study.front) {
    points.push_back(MinimizedValues(trial, study.info.objectives));
  }
  return points;
}

std::string Text(const std::vector<Objective>& objectives) {
  std::string text;
  for (const Objective& objective : objectives) {
    if (!text.empty()) text += ", ";
    text += std::string(Name(objective.direction)) + " " + objective.metric;
  }
  return text;
}

// Scales all points so that together they span [0, 1].
void Normalize(std::vector<Point>& a, std::vector<Point>& b) {
  std::vector<Point> both = a;
  both.insert(both.end(), b.begin(), b.end());
  for (std::size_t i = 0; i < both.front().size(); ++i) {
    const auto [low, high] = std::minmax_element(
        both.begin(), both.end(),
        [&](const Point& x, const Point& y) { return x[i] < y[i]; });
    const double least = (*low)[i];
    const double range = (*high)[i] - least;
    for (auto* points : {&a, &b}) {
      for (Point& point : *points) {
        point[i] = range > 0 ? (point[i] - least) / range : 0;
      }
    }
  }
}

double Coverage(const std::vector<Point>& by, const std::vector<Point>& of) {
  const auto covered = std::count_if(of.begin(), of.end(), [&](const Point& y) {
    return std::any_of(by.begin(), by.end(), [&](const Point& x) {
      return x == y || Dominates(x, y);
    });
  });
  return static_cast<double>(covered) / static_cast<double>(of.size());
}

FrontComparison::Side SideOf(const StudyView& study,
                             const std::vector<Point>& own,
                             const std::vector<Point>& other) {
  FrontComparison::Side side;
  side.trials = study.trials.size();
  side.front = study.front.size();
  const Point reference(own.front().size(), kReference);
  side.hypervolume = Hypervolume(own, reference);
  for (const double edge : reference) side.hypervolume /= edge;
  side.coverage = Coverage(own, other);
  const std::vector<Point> points = PointsOf(study);
  for (std::size_t i = 0; i < study.info.objectives.size(); ++i) {
    double best = points.front()[i];
    for (const Point& point : points) best = std::min(best, point[i]);
    const bool negated =
        study.info.objectives[i].direction == Direction::kMaximize;
    side.best.push_back(negated ? -best : best);
  }
  return side;
}

Json SideToJson(const FrontComparison& comparison,
                const FrontComparison::Side& side) {
  Json best = Json::object();
  for (std::size_t i = 0; i < side.best.size(); ++i) {
    best[comparison.metrics[i]] = side.best[i];
  }
  return {{"trials", side.trials},
          {"front", side.front},
          {"hypervolume", side.hypervolume},
          {"coverage_of_other", side.coverage},
          {"best", best}};
}

// The blocks of both, in order of their names.
Table BlockTable(const Architecture& a, const Architecture& b) {
  Table table{{{"part"}, {"a"}, {"b"}}, {}};
  const auto row = [&](const std::string& name, const std::string& one,
                       const std::string& two) {
    table.AddRow({name, one, one == two ? "same" : two});
  };
  row("d_model", std::to_string(a.stem.d_model),
      std::to_string(b.stem.d_model));
  StemSpec stem = b.stem;
  stem.d_model = a.stem.d_model;
  row("stem", StemText(a.stem), StemText(stem));
  const auto side = [&](const char* name, const std::vector<BlockSpec>& one,
                        const std::vector<BlockSpec>& two) {
    for (std::size_t i = 0; i < std::max(one.size(), two.size()); ++i) {
      row(std::string(name) + "." + std::to_string(i),
          i < one.size() ? BlockText(one[i]) : "-",
          i < two.size() ? BlockText(two[i]) : "-");
    }
  };
  side("encoder", a.encoder, b.encoder);
  side("decoder", a.decoder, b.decoder);
  return table;
}

}  // namespace

FrontComparison CompareFronts(const StudyView& a, const StudyView& b) {
  if (Text(a.info.objectives) != Text(b.info.objectives)) {
    throw Error(ErrorCode::kUsage, "the studies have different objectives: " +
                                       Text(a.info.objectives) + "; and " +
                                       Text(b.info.objectives));
  }
  for (const StudyView* study : {&a, &b}) {
    if (study->front.empty()) {
      throw Error(ErrorCode::kNotFound,
                  "study '" + study->info.name + "' has no front yet");
    }
  }
  std::vector<Point> of_a = PointsOf(a);
  std::vector<Point> of_b = PointsOf(b);
  Normalize(of_a, of_b);
  FrontComparison comparison;
  for (const Objective& objective : a.info.objectives) {
    comparison.metrics.push_back(objective.metric);
  }
  comparison.a = SideOf(a, of_a, of_b);
  comparison.b = SideOf(b, of_b, of_a);
  return comparison;
}

std::string ToText(const FrontComparison& comparison) {
  Table table{{{"front"}, {"a", true}, {"b", true}}, {}};
  const auto row = [&](const std::string& name, double a, double b) {
    table.AddRow({name, NumberText(a), NumberText(b)});
  };
  const auto& [metrics, a, b] = comparison;
  row("trials", static_cast<double>(a.trials), static_cast<double>(b.trials));
  row("on the front", static_cast<double>(a.front),
      static_cast<double>(b.front));
  row("hypervolume", a.hypervolume, b.hypervolume);
  row("covers of the other", a.coverage, b.coverage);
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    row("best " + metrics[i], a.best[i], b.best[i]);
  }
  return hone::ToText(table);
}

Json ToJson(const FrontComparison& comparison) {
  return {{"a", SideToJson(comparison, comparison.a)},
          {"b", SideToJson(comparison, comparison.b)}};
}

std::string CompareTrialsText(const Trial& a, const Trial& b) {
  Table table{{{"metric"}, {"a", true}, {"b", true}, {"b / a", true}}, {}};
  const Json json = CompareTrialsJson(a, b);
  for (const std::string& name : MetricsIn({a, b})) {
    const Json& one = json.at("metrics").at(name);
    const auto cell = [&](const char* key) {
      return one.contains(key) ? NumberText(one.at(key).get<double>()) : "-";
    };
    table.AddRow({name, cell("a"), cell("b"), cell("ratio")});
  }
  return hone::ToText(BlockTable(a.architecture, b.architecture)) + "\n" +
         hone::ToText(table);
}

Json CompareTrialsJson(const Trial& a, const Trial& b) {
  Json metrics = Json::object();
  const auto put = [&](const Trial& trial, const char* key) {
    const auto* measured = std::get_if<Measurement>(&trial.outcome);
    if (!measured) return;
    for (const auto& [name, metric] : measured->metrics) {
      metrics[name][key] = metric.value;
    }
  };
  put(a, "a");
  put(b, "b");
  for (auto& [name, one] : metrics.items()) {
    if (one.contains("a") && one.contains("b") && one["a"] != 0.0) {
      one["ratio"] = one["b"].get<double>() / one["a"].get<double>();
    }
  }
  return {{"metrics", metrics},
          {"architectures",
           {{"a", ToJson(a.architecture)}, {"b", ToJson(b.architecture)}}}};
}

}  // namespace hone
