#include "experiments/space_report.h"

#include <algorithm>
#include <functional>
#include <map>
#include <sstream>

#include "experiments/report.h"
#include "search/explained_variance.h"
#include "space/base/error.h"
#include "space/block_layers.h"
#include "space/choices.h"

namespace hone {
namespace {

using Dimension = SpaceReport::Dimension;

// Below it a dimension is said to move nothing.
constexpr double kNothing = 0.01;

// The share of each choice in an architecture; empty where it has none.
using Uses = std::map<std::string, double>;

struct Rule {
  std::string name;
  std::function<Uses(const Architecture&)> uses;
};

Uses One(const std::string& word) { return {{word, 1}}; }

template <typename WordOf>
Uses OfBlocks(const std::vector<BlockSpec>& blocks, WordOf word_of) {
  Uses uses;
  for (const BlockSpec& block : blocks) {
    uses[word_of(block)] += 1 / static_cast<double>(blocks.size());
  }
  return uses;
}

// The blocks' layers count alike in each block.
Uses Precisions(const Architecture& architecture) {
  const std::vector<BlockSpec> blocks = AllBlocks(architecture);
  Uses uses;
  for (const BlockSpec& block : blocks) {
    const LinearPrecisions precisions = PrecisionsOf(block);
    const auto layers = static_cast<double>(precisions.size() * blocks.size());
    for (const auto& [role, precision] : precisions) {
      uses[Name(precision)] += 1 / layers;
    }
  }
  return uses;
}

std::string Word(std::int64_t number) { return std::to_string(number); }
std::string Depth(const std::vector<BlockSpec>& blocks) {
  return std::to_string(blocks.size());
}

std::vector<Rule> StemRules() {
  using A = Architecture;
  return {
      {"d_model", [](const A& a) { return One(Word(a.stem.d_model)); }},
      {"layers",
       [](const A& a) {
         return One(Depth(a.encoder.empty() ? a.decoder : a.encoder));
       }},
      {"decoder_layers",
       [](const A& a) {
         return TopologyOf(a) == Topology::kEncoderDecoder
                    ? One(Depth(a.decoder))
                    : Uses();
       }},
      {"positions", [](const A& a) { return One(Name(a.stem.positions)); }},
      {"norm", [](const A& a) { return One(Name(a.stem.norm)); }},
      {"norm_place", [](const A& a) { return One(Name(a.stem.norm_place)); }},
      {"output", [](const A& a) { return One(Name(a.stem.output)); }},
      {"embedding", [](const A& a) { return One(Name(a.stem.embedding)); }},
      {"compute", [](const A& a) { return One(Name(a.stem.compute)); }},
      {"embedding_rank",
       [](const A& a) { return One(Word(a.stem.embedding_rank)); }},
  };
}

std::vector<Rule> BlockRules(const SearchSpaceOptions& space) {
  using A = Architecture;
  const auto of_all = [](auto word_of) {
    return [word_of](const A& a) { return OfBlocks(AllBlocks(a), word_of); };
  };
  const auto attention = [](const BlockSpec& block) {
    return AttentionName(block.attention);
  };
  const bool apart = !space.decoder_attention.empty();
  return {
      {"attention",
       [=](const A& a) {
         return OfBlocks(apart ? a.encoder : AllBlocks(a), attention);
       }},
      {"decoder_attention",
       [=](const A& a) { return OfBlocks(a.decoder, attention); }},
      {"heads",
       of_all([](const BlockSpec& b) { return Word(Heads(b.attention)); })},
      {"feed_forward",
       of_all([](const BlockSpec& b) { return Word(b.feed_forward.width); })},
      {"activation", of_all([](const BlockSpec& b) {
         return Name(b.feed_forward.activation);
       })},
      {"cross_layers",
       [](const A& a) {
         if (TopologyOf(a) != Topology::kEncoderDecoder) return Uses();
         return OfBlocks(a.decoder, [](const BlockSpec& b) {
           return Word(b.cross ? b.cross->layers : 0);
         });
       }},
      {"precision", Precisions},
      {"rank", of_all([](const BlockSpec& b) { return Word(b.rank); })},
      {"head_dim", of_all([](const BlockSpec& b) { return Word(b.head_dim); })},
      {"attention_products",
       of_all([](const BlockSpec& b) { return Name(b.products); })},
  };
}

// The choices of a key of [space], as words.
std::vector<std::string> WordsOf(const Json& list) {
  std::vector<std::string> words;
  for (const Json& item : list) {
    words.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  }
  return words;
}

SpaceReport::Choice ChoiceOf(const std::string& word,
                             const std::vector<Uses>& uses,
                             const std::vector<std::vector<double>>& values) {
  SpaceReport::Choice choice{word, 0, {}};
  double weight = 0;
  std::vector<double> sums(values.size(), 0);
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const auto found = uses[i].find(word);
    if (found == uses[i].end()) continue;
    ++choice.trials;
    weight += found->second;
    for (std::size_t k = 0; k < sums.size(); ++k) {
      sums[k] += found->second * values[k][i];
    }
  }
  for (const double sum : sums) {
    choice.means.push_back(weight > 0 ? std::optional(sum / weight)
                                      : std::nullopt);
  }
  return choice;
}

// `values` has a list over the trials for each objective.
Dimension DimensionOf(const std::string& name, std::vector<std::string> words,
                      const std::vector<Uses>& uses,
                      const std::vector<std::vector<double>>& values) {
  for (const Uses& one : uses) {  // ranks that factor nothing are 0
    for (const auto& [word, share] : one) {
      if (!Has(words, word)) words.push_back(word);
    }
  }
  std::vector<std::vector<double>> features;
  for (const Uses& one : uses) {
    features.emplace_back();
    for (const std::string& word : words) {
      features.back().push_back(one.contains(word) ? one.at(word) : 0);
    }
  }
  Dimension dimension{name, {}, {}};
  for (const std::string& word : words) {
    dimension.choices.push_back(ChoiceOf(word, uses, values));
  }
  for (const std::vector<double>& objective : values) {
    const ExplainedVariance explained = Explain(features, objective);
    dimension.shares.push_back(explained.share);
    dimension.varied = explained.coefficients > 0;
    dimension.reliable = explained.reliable;
  }
  return dimension;
}

Fidelity MostUsed(const std::vector<Trial>& trials) {
  std::map<Fidelity, int> counts;
  for (const Trial& trial : trials) {
    if (trial.state() == TrialState::kComplete) ++counts[trial.fidelity];
  }
  if (counts.empty()) {
    throw Error(ErrorCode::kNotFound, "the study has no complete trial yet");
  }
  return std::max_element(
             counts.begin(), counts.end(),
             [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::vector<Table::Column> ObjectiveColumns(const SpaceReport& report) {
  // Of three objectives and more, so that they fit.
  constexpr std::size_t kNarrow = 9;
  std::vector<Table::Column> columns;
  for (const Objective& objective : report.objectives) {
    columns.push_back(
        {objective.metric, true, report.objectives.size() > 2 ? kNarrow : 0});
  }
  return columns;
}

Table ShareTable(const SpaceReport& report) {
  Table table{{{"dimension"}}, {}};
  for (const Table::Column& column : ObjectiveColumns(report)) {
    table.columns.push_back(column);
  }
  for (const Dimension& dimension : report.dimensions) {
    std::vector<std::string> cells = {dimension.name};
    for (const double share : dimension.shares) {
      cells.push_back(!dimension.varied     ? "one choice"
                      : !dimension.reliable ? "too few"
                                            : PercentText(share));
    }
    table.AddRow(std::move(cells));
  }
  return table;
}

Table MeanTable(const SpaceReport& report) {
  constexpr std::size_t kWidestChoice = 14;
  Table table{
      {{"dimension"}, {"choice", true, kWidestChoice}, {"trials", true}}, {}};
  for (const Table::Column& column : ObjectiveColumns(report)) {
    table.columns.push_back(column);
  }
  for (const Dimension& dimension : report.dimensions) {
    for (const SpaceReport::Choice& choice : dimension.choices) {
      const bool first = &choice == &dimension.choices.front();
      std::vector<std::string> cells = {first ? dimension.name : "",
                                        choice.word,
                                        std::to_string(choice.trials)};
      for (const auto& mean : choice.means) {
        cells.push_back(mean ? NumberText(*mean) : "-");
      }
      table.AddRow(std::move(cells));
    }
  }
  return table;
}

std::string MovedNothing(const SpaceReport& report) {
  std::string names;
  for (const Dimension& dimension : report.dimensions) {
    if (!dimension.varied || !dimension.reliable) continue;
    if (dimension.Most() >= kNothing) continue;
    names += (names.empty() ? "" : ", ") + dimension.name;
  }
  return names.empty()
             ? names
             : "Moved no objective by itself, less than 1 %: " + names + "\n";
}

}  // namespace

double Dimension::Most() const {
  return shares.empty() ? 0 : *std::max_element(shares.begin(), shares.end());
}

SpaceReport ReportSpace(const std::vector<Trial>& trials,
                        const std::vector<Objective>& objectives,
                        const SearchSpaceOptions& space,
                        std::optional<Fidelity> fidelity) {
  SpaceReport report;
  report.objectives = objectives;
  report.fidelity = fidelity ? *fidelity : MostUsed(trials);
  std::vector<std::vector<double>> values(objectives.size());
  std::vector<Architecture> architectures;
  for (const Trial& trial : trials) {
    if (trial.state() != TrialState::kComplete ||
        trial.fidelity != report.fidelity) {
      continue;
    }
    architectures.push_back(trial.architecture);
    for (std::size_t k = 0; k < objectives.size(); ++k) {
      values[k].push_back(std::get<Measurement>(trial.outcome)
                              .metrics.at(objectives[k].metric)
                              .value);
    }
  }
  report.trials = architectures.size();
  if (architectures.empty()) {
    throw Error(ErrorCode::kNotFound, "the study has no complete trial of " +
                                          std::string("fidelity ") +
                                          std::string(Name(report.fidelity)));
  }
  std::vector<Rule> rules = StemRules();
  for (Rule& rule : BlockRules(space)) rules.push_back(std::move(rule));
  const Json lists = FieldsToJson(space);
  for (const Rule& rule : rules) {
    const std::vector<std::string> words = WordsOf(lists.at(rule.name));
    std::vector<Uses> uses;
    for (const Architecture& one : architectures) {
      uses.push_back(rule.uses(one));
    }
    if (words.size() < 2 || uses.front().empty()) continue;
    report.dimensions.push_back(DimensionOf(rule.name, words, uses, values));
  }
  std::stable_sort(report.dimensions.begin(), report.dimensions.end(),
                   [](const Dimension& a, const Dimension& b) {
                     return a.Most() > b.Most();
                   });
  return report;
}

std::string SpacePage(const SpaceReport& report) {
  std::ostringstream out;
  out << report.trials << (report.trials == 1 ? " trial" : " trials")
      << " of fidelity " << Name(report.fidelity) << "\n";
  if (report.dimensions.empty()) {
    out << "No dimension of the space has more than one choice.\n";
    return out.str();
  }
  out << "\nVariance that each dimension explains by itself\n"
      << ToText(ShareTable(report)) << MovedNothing(report);
  const bool all_reliable = std::all_of(
      report.dimensions.begin(), report.dimensions.end(),
      [](const Dimension& one) { return one.reliable || !one.varied; });
  if (!all_reliable) {
    out << "too few: it takes ten trials for each choice but one to tell\n";
  }
  out << "\nMeans, weighted by the share of blocks with the choice\n"
      << ToText(MeanTable(report));
  return out.str();
}

Json ToJson(const SpaceReport& report) {
  Json dimensions = Json::array();
  for (const Dimension& dimension : report.dimensions) {
    Json explained = Json::object();
    for (std::size_t k = 0; k < report.objectives.size(); ++k) {
      explained[report.objectives[k].metric] = dimension.shares[k];
    }
    Json choices = Json::array();
    for (const SpaceReport::Choice& choice : dimension.choices) {
      Json mean = Json::object();
      for (std::size_t k = 0; k < report.objectives.size(); ++k) {
        if (choice.means[k]) {
          mean[report.objectives[k].metric] = *choice.means[k];
        }
      }
      choices.push_back(
          {{"choice", choice.word}, {"trials", choice.trials}, {"mean", mean}});
    }
    dimensions.push_back({{"dimension", dimension.name},
                          {"explained", explained},
                          {"varied", dimension.varied},
                          {"reliable", dimension.reliable},
                          {"choices", choices}});
  }
  return {{"fidelity", Name(report.fidelity)},
          {"trials", report.trials},
          {"dimensions", dimensions}};
}

}  // namespace hone
