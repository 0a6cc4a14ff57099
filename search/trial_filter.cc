#include "search/trial_filter.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "space/base/error.h"

namespace hone {

struct TrialFilter::Node {
  enum class Kind { kAnd, kOr, kNot, kCompare };
  Kind kind = Kind::kCompare;
  std::vector<std::shared_ptr<const Node>> children;
  std::string name;
  std::string comparison;  // an operator of the language
  Parameter value;
};

namespace {

constexpr int kMaxDepth = 64;
const std::vector<std::string> kWordColumns = {"state", "fidelity", "origin"};
const std::vector<std::string> kOperators = {"<=", ">=", "!=", "<", ">", "="};

bool IsWordColumn(const std::string& name) {
  return std::find(kWordColumns.begin(), kWordColumns.end(), name) !=
         kWordColumns.end();
}

template <typename T>
bool Compare(const T& a, const std::string& comparison, const T& b) {
  if (comparison == "<") return a < b;
  if (comparison == "<=") return a <= b;
  if (comparison == ">") return a > b;
  if (comparison == ">=") return a >= b;
  if (comparison == "=") return a == b;
  return a != b;
}

std::string WordOf(const Trial& trial, const std::string& column) {
  if (column == "state") return std::string(Name(trial.state()));
  if (column == "fidelity") return std::string(Name(trial.fidelity));
  return trial.origin;
}

std::optional<double> NumberOf(const Trial& trial, const std::string& name) {
  if (name == "number") return static_cast<double>(trial.number);
  const auto* measurement = std::get_if<Measurement>(&trial.outcome);
  if (!measurement) return std::nullopt;
  const auto found = measurement->metrics.find(name);
  if (found == measurement->metrics.end()) return std::nullopt;
  return found->second.value;
}

}  // namespace

class FilterParser {
 public:
  using Node = TrialFilter::Node;
  using Pointer = std::shared_ptr<const Node>;

  explicit FilterParser(const std::string& text) : text_(text) {}

  TrialFilter Parse() {
    Pointer root = Condition(0);
    SkipBlanks();
    if (at_ < text_.size()) Refuse("'and', 'or' or the end is needed");
    return TrialFilter(std::move(root));
  }

 private:
  [[noreturn]] void Refuse(const std::string& what) const {
    throw Error(ErrorCode::kUsage, "filter \"" + text_ + "\", column " +
                                       std::to_string(at_ + 1) + ": " + what);
  }

  void SkipBlanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  std::string PeekWord() {
    SkipBlanks();
    std::size_t end = at_;
    while (end < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 ||
            text_[end] == '_' || text_[end] == '.')) {
      ++end;
    }
    return text_.substr(at_, end - at_);
  }

  bool TakeWord(const std::string& word) {
    if (PeekWord() != word) return false;
    at_ += word.size();
    return true;
  }

  bool TakeCharacter(char c) {
    SkipBlanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  template <typename Part>
  Pointer Chain(Node::Kind kind, const std::string& word, Part part) {
    std::vector<Pointer> children = {part()};
    while (TakeWord(word)) children.push_back(part());
    if (children.size() == 1) return children[0];
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->children = std::move(children);
    return node;
  }

  Pointer Condition(int depth) {
    if (depth > kMaxDepth) Refuse("nested too deeply");
    return Chain(Node::Kind::kOr, "or", [&] {
      return Chain(Node::Kind::kAnd, "and", [&] { return Factor(depth); });
    });
  }

  Pointer Factor(int depth) {
    if (depth > kMaxDepth) Refuse("nested too deeply");
    if (TakeWord("not")) {
      auto node = std::make_shared<Node>();
      node->kind = Node::Kind::kNot;
      node->children = {Factor(depth + 1)};
      return node;
    }
    if (TakeCharacter('(')) {
      Pointer inner = Condition(depth + 1);
      if (!TakeCharacter(')')) Refuse("')' is needed");
      return inner;
    }
    return Comparison();
  }

  Pointer Comparison() {
    auto node = std::make_shared<Node>();
    node->name = PeekWord();
    if (node->name.empty() ||
        std::isalpha(static_cast<unsigned char>(node->name[0])) == 0) {
      Refuse("a metric is needed, such as latency_ms");
    }
    at_ += node->name.size();
    SkipBlanks();
    const auto found = std::find_if(
        kOperators.begin(), kOperators.end(),
        [&](const std::string& candidate) {
          return text_.compare(at_, candidate.size(), candidate) == 0;
        });
    if (found == kOperators.end()) Refuse("one of < <= > >= = != is needed");
    node->comparison = *found;
    at_ += found->size();
    if (IsWordColumn(node->name)) {
      if (*found != "=" && *found != "!=") {
        Refuse("'" + node->name + "' is compared with = or !=");
      }
      node->value = QuotedWord(node->name);
    } else {
      node->value = Number();
    }
    return node;
  }

  std::string QuotedWord(const std::string& name) {
    if (!TakeCharacter('\'')) {
      Refuse("'" + name + "' needs a word in single quotes");
    }
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string::npos) Refuse("a closing ' is needed");
    std::string word = text_.substr(at_, end - at_);
    at_ = end + 1;
    return word;
  }

  double Number() {
    SkipBlanks();
    double value = 0;
    const auto parsed =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (parsed.ec != std::errc() || !std::isfinite(value)) {
      Refuse("a number is needed");
    }
    at_ = static_cast<std::size_t>(parsed.ptr - text_.data());
    return value;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

namespace {

using Node = FilterParser::Node;

bool NodeMatches(const Node& node, const Trial& trial) {
  const auto matches = [&](const auto& child) {
    return NodeMatches(*child, trial);
  };
  switch (node.kind) {
    case Node::Kind::kAnd:
      return std::all_of(node.children.begin(), node.children.end(), matches);
    case Node::Kind::kOr:
      return std::any_of(node.children.begin(), node.children.end(), matches);
    case Node::Kind::kNot:
      return !matches(node.children[0]);
    case Node::Kind::kCompare:
      break;
  }
  if (const auto* word = std::get_if<std::string>(&node.value)) {
    return Compare(WordOf(trial, node.name), node.comparison, *word);
  }
  const std::optional<double> value = NumberOf(trial, node.name);
  return value &&
         Compare(*value, node.comparison, std::get<double>(node.value));
}

void AppendSql(const Node& node, TrialFilter::Sql& sql) {
  if (node.kind == Node::Kind::kNot) {
    sql.condition += "NOT ";
    AppendSql(*node.children[0], sql);
    return;
  }
  sql.condition += "(";
  if (node.kind != Node::Kind::kCompare) {
    const char* joint = node.kind == Node::Kind::kAnd ? " AND " : " OR ";
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      if (i > 0) sql.condition += joint;
      AppendSql(*node.children[i], sql);
    }
  } else if (node.name == "number" || IsWordColumn(node.name)) {
    sql.condition += "t." + node.name + " " + node.comparison + " ?";
    sql.parameters.push_back(node.value);
  } else {
    sql.condition +=
        "EXISTS (SELECT 1 FROM metric m WHERE m.trial = t.id AND m.name = ? "
        "AND m.value " +
        node.comparison + " ?)";
    sql.parameters.emplace_back(node.name);
    sql.parameters.push_back(node.value);
  }
  sql.condition += ")";
}

void CollectMetrics(const Node& node, std::vector<std::string>& names) {
  for (const auto& child : node.children) CollectMetrics(*child, names);
  if (node.kind == Node::Kind::kCompare && node.name != "number" &&
      !IsWordColumn(node.name)) {
    names.push_back(node.name);
  }
}

}  // namespace

TrialFilter TrialFilter::Parse(const std::string& text) {
  return FilterParser(text).Parse();
}

bool TrialFilter::Matches(const Trial& trial) const {
  return NodeMatches(*root_, trial);
}

TrialFilter::Sql TrialFilter::ToSql() const {
  Sql sql;
  AppendSql(*root_, sql);
  return sql;
}

std::vector<std::string> TrialFilter::Metrics() const {
  std::vector<std::string> names;
  CollectMetrics(*root_, names);
  return names;
}

}  // namespace hone
