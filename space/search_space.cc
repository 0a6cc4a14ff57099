#include "space/search_space.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr int kMaxRejections = 10'000;

[[noreturn]] void Refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kUsage, "space." + where + ": " + what);
}

// "full" or "local:8", with no heads yet.
AttentionSpec ParseAttentionKind(const std::string& word,
                                 const std::string& where) {
  if (word == "full") return FullAttention{0};
  if (word.starts_with("local:")) {
    LocalAttention local{0, 0};
    const char* end = word.data() + word.size();
    const auto parsed = std::from_chars(word.data() + 6, end, local.window);
    if (parsed.ec == std::errc() && parsed.ptr == end && local.window >= 1) {
      return local;
    }
    Refuse(where, "'" + word +
                      "': a window of at least 1 is needed, such as "
                      "local:8");
  }
  Refuse(where, "unknown attention kind '" + word +
                    "'; use full or "
                    "local:WINDOW, such as local:8");
}

template <typename T>
void CheckList(const std::vector<T>& values, const std::string& name) {
  if (values.empty()) Refuse(name, "at least one choice is needed");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::find(values.begin(), values.begin() + i, values[i]) !=
        values.begin() + i) {
      std::ostringstream what;
      what << "'" << values[i] << "' stands there twice";
      Refuse(name + "[" + std::to_string(i) + "]", what.str());
    }
  }
}

std::string Joined(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values) {
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  }
  return text;
}

template <typename T>
bool Has(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

void CheckHeads(const SearchSpaceOptions& options) {
  const auto divides_some = [&](std::int64_t heads) {
    return std::any_of(options.d_model.begin(), options.d_model.end(),
                       [&](std::int64_t d) { return d % heads == 0; });
  };
  for (std::size_t i = 0; i < options.heads.size(); ++i) {
    if (!divides_some(options.heads[i])) {
      Refuse("heads[" + std::to_string(i) + "]",
             std::to_string(options.heads[i]) + " does not divide d_model " +
                 Joined(options.d_model));
    }
  }
  for (std::size_t i = 0; i < options.d_model.size(); ++i) {
    const std::int64_t d = options.d_model[i];
    if (std::none_of(options.heads.begin(), options.heads.end(),
                     [&](std::int64_t heads) { return d % heads == 0; })) {
      Refuse("d_model[" + std::to_string(i) + "]",
             std::to_string(d) + " is divided by none of heads " +
                 Joined(options.heads));
    }
  }
}

}  // namespace

SearchSpace::SearchSpace(const SearchSpaceOptions& options,
                         const TaskShape& task)
    : options_(options), task_(task) {
  CheckList(options.d_model, "d_model");
  CheckList(options.layers, "layers");
  CheckList(options.heads, "heads");
  CheckList(options.feed_forward, "feed_forward");
  CheckList(options.attention, "attention");
  CheckList(options.precision, "precision");
  CheckHeads(options);
  for (std::size_t i = 0; i < options.attention.size(); ++i) {
    attention_kinds_.push_back(ParseAttentionKind(
        options.attention[i], "attention[" + std::to_string(i) + "]"));
  }
  for (std::size_t i = 0; i < options.constraints.size(); ++i) {
    const std::string where = "constraints[" + std::to_string(i) + "]";
    try {
      constraints_.push_back(ParseConstraint(options.constraints[i]));
      CostMetric(Cost{}, constraints_.back().metric);
    } catch (const Error& error) {
      Refuse(where, error.what());
    }
  }
}

std::vector<AttentionSpec> SearchSpace::AttentionChoices(
    std::int64_t d_model) const {
  std::vector<AttentionSpec> choices;
  for (AttentionSpec kind : attention_kinds_) {
    for (const std::int64_t heads : options_.heads) {
      if (d_model % heads != 0) continue;
      std::visit([&](auto& attention) { attention.heads = heads; }, kind);
      choices.push_back(kind);
    }
  }
  return choices;
}

double SearchSpace::Size() const {
  double size = 0;
  for (const std::int64_t d_model : options_.d_model) {
    const auto per_block = static_cast<double>(
        AttentionChoices(d_model).size() * options_.feed_forward.size() *
        options_.precision.size());
    for (const std::int64_t layers : options_.layers) {
      size += std::pow(per_block, static_cast<double>(layers));
    }
  }
  return size;
}

std::string SearchSpace::ConstraintViolation(
    const Architecture& architecture) const {
  if (constraints_.empty()) return {};
  const Cost cost = CostOf(architecture, task_, 1, task_.max_tokens);
  for (const Constraint& constraint : constraints_) {
    const double value = CostMetric(cost, constraint.metric);
    if (!Holds(constraint, value)) {
      std::ostringstream out;
      out << constraint.metric << " is " << value << ", not "
          << ToText(constraint);
      return out.str();
    }
  }
  return {};
}

bool SearchSpace::Contains(const Architecture& architecture) const {
  const std::int64_t d_model = architecture.stem.d_model;
  if (!Has(options_.d_model, d_model) ||
      !Has(options_.layers,
           static_cast<std::int64_t>(architecture.blocks.size()))) {
    return false;
  }
  const std::vector<AttentionSpec> attention = AttentionChoices(d_model);
  for (const BlockSpec& block : architecture.blocks) {
    if (!Has(attention, block.attention) ||
        !Has(options_.feed_forward, block.feed_forward.width) ||
        !Has(options_.precision, std::string(hone::Name(block.precision)))) {
      return false;
    }
  }
  return ConstraintViolation(architecture).empty();
}

BlockSpec SearchSpace::SampleBlock(std::int64_t d_model, Rng& rng) const {
  BlockSpec block;
  block.attention = rng.Pick(AttentionChoices(d_model));
  block.feed_forward.width = rng.Pick(options_.feed_forward);
  block.precision = ParsePrecision(rng.Pick(options_.precision));
  return block;
}

Architecture SearchSpace::Sample(Rng& rng) const {
  for (int attempt = 0; attempt < kMaxRejections; ++attempt) {
    Architecture architecture;
    architecture.stem.d_model = rng.Pick(options_.d_model);
    const std::int64_t layers = rng.Pick(options_.layers);
    for (std::int64_t i = 0; i < layers; ++i) {
      architecture.blocks.push_back(
          SampleBlock(architecture.stem.d_model, rng));
    }
    if (ConstraintViolation(architecture).empty()) return architecture;
  }
  Refuse("constraints",
         "none of 10,000 random architectures satisfies them; "
         "loosen a bound or add smaller choices");
}

std::optional<Architecture> SearchSpace::Uniform(
    std::int64_t d_model, std::int64_t layers, std::int64_t heads,
    std::int64_t feed_forward) const {
  AttentionSpec attention = attention_kinds_.front();
  std::visit([&](auto& kind) { kind.heads = heads; }, attention);
  const BlockSpec block = {
      attention, {feed_forward}, ParsePrecision(options_.precision.front())};
  Architecture architecture{
      {d_model},
      std::vector<BlockSpec>(static_cast<std::size_t>(layers), block)};
  if (!Contains(architecture)) return std::nullopt;
  return architecture;
}

std::optional<Architecture> SearchSpace::Largest() const {
  const std::int64_t d_model = std::ranges::max(options_.d_model);
  std::int64_t heads = 0;
  for (const std::int64_t choice : options_.heads) {
    if (d_model % choice == 0) heads = std::max(heads, choice);
  }
  return Uniform(d_model, std::ranges::max(options_.layers), heads,
                 std::ranges::max(options_.feed_forward));
}

std::optional<Architecture> SearchSpace::Smallest() const {
  const std::int64_t d_model = std::ranges::min(options_.d_model);
  std::int64_t heads = d_model;
  for (const std::int64_t choice : options_.heads) {
    if (d_model % choice == 0) heads = std::min(heads, choice);
  }
  return Uniform(d_model, std::ranges::min(options_.layers), heads,
                 std::ranges::min(options_.feed_forward));
}

std::vector<Architecture> SearchSpace::Enumerate(std::size_t limit) const {
  if (Size() > static_cast<double>(limit)) {
    throw Error(ErrorCode::kUsage, "the space is too large to enumerate");
  }
  std::vector<Architecture> members;
  for (const std::int64_t d_model : options_.d_model) {
    std::vector<BlockSpec> choices;
    for (const AttentionSpec& attention : AttentionChoices(d_model)) {
      for (const std::int64_t width : options_.feed_forward) {
        for (const std::string& precision : options_.precision) {
          choices.push_back({attention, {width}, ParsePrecision(precision)});
        }
      }
    }
    for (const std::int64_t layers : options_.layers) {
      std::vector<std::size_t> digits(static_cast<std::size_t>(layers), 0);
      while (true) {
        Architecture architecture{{d_model}, {}};
        for (const std::size_t digit : digits) {
          architecture.blocks.push_back(choices[digit]);
        }
        if (ConstraintViolation(architecture).empty()) {
          members.push_back(std::move(architecture));
        }
        std::size_t place = 0;
        while (place < digits.size() && ++digits[place] == choices.size()) {
          digits[place++] = 0;
        }
        if (place == digits.size()) break;
      }
    }
  }
  return members;
}

}  // namespace hone
