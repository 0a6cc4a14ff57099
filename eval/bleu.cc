#include "eval/bleu.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "space/base/check_fields.h"
#include "space/base/error.h"
#include "train/data/utf8.h"
#include "train/data/words.h"

namespace hone {
namespace {

constexpr std::size_t kOrders = 4;

using Counts = std::unordered_map<std::string, std::int64_t>;

std::string Lowercase(std::string_view text) {
  std::string lower;
  while (!text.empty()) {
    const CodePoint c = DecodeUtf8(text);
    if (c.valid) {
      lower += EncodeUtf8(LowerCase(c.value));
    } else {
      lower += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  return lower;
}

// What str.split() of Python takes for a blank.
bool IsBlank(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 ||
         c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
         c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

std::vector<std::string> SplitAtBlanks(std::string_view text) {
  std::vector<std::string> tokens;
  bool inside = false;
  while (!text.empty()) {
    const CodePoint c = DecodeUtf8(text);
    const bool blank = IsBlank(c.value);
    if (!blank) {
      if (!inside) tokens.emplace_back();
      tokens.back() += text.substr(0, c.bytes);
    }
    inside = !blank;
    text.remove_prefix(c.bytes);
  }
  return tokens;
}

// `text` up to its last character that is no blank.
std::string_view WithoutFinalBlanks(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = DecodeUtf8(text.substr(i));
    i += c.bytes;
    if (!IsBlank(c.value)) end = i;
  }
  return text.substr(0, end);
}

std::string ReplaceAll(const std::string& text, std::string_view from,
                       std::string_view to) {
  std::string result;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t found = text.find(from, begin);
    result.append(text, begin, found - begin);
    if (found == std::string::npos) return result;
    result += to;
    begin = found + from.size();
  }
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsStop(char c) { return c == '.' || c == ','; }

// [\{-\~\[-\` -\&\(-\+\:-\@\/]
bool StandsAlone(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') ||
         (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
         (c >= ':' && c <= '@') || c == '/';
}

std::string SetApartSymbols(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (StandsAlone(c)) {
      ((result += ' ') += c) += ' ';
    } else {
      result += c;
    }
  }
  return result;
}

// Replaces each pair of neighbours that `matches`, from left to right and
// without overlap, as one regular expression of mteval-v13a does: by
// before + first + ' ' + second + after. Working on bytes is right for UTF-8,
// since a byte of a longer character is neither a digit nor a stop.
template <typename Matches>
std::string SplitPairs(const std::string& text, const Matches& matches,
                       const char* before, const char* after) {
  std::string result;
  std::size_t i = 0;
  while (i < text.size()) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      result += before;
      ((result += text[i]) += ' ') += text[i + 1];
      result += after;
      i += 2;
    } else {
      result += text[i++];
    }
  }
  return result;
}

std::string Apply13a(std::string text) {
  text = ReplaceAll(text, "<skipped>", "");
  text = ReplaceAll(text, "-\n", "");
  text = ReplaceAll(text, "\n", " ");
  text = ReplaceAll(text, "&quot;", "\"");
  text = ReplaceAll(text, "&amp;", "&");
  text = ReplaceAll(text, "&lt;", "<");
  text = ReplaceAll(text, "&gt;", ">");
  text = SetApartSymbols(" " + text + " ");
  text = SplitPairs(
      text, [](char a, char b) { return !IsDigit(a) && IsStop(b); }, "", " ");
  text = SplitPairs(
      text, [](char a, char b) { return IsStop(a) && !IsDigit(b); }, " ", "");
  return SplitPairs(
      text, [](char a, char b) { return IsDigit(a) && b == '-'; }, "", " ");
}

// How often each run of `order` tokens occurs.
Counts CountNgrams(const std::vector<std::string>& tokens, std::size_t order) {
  Counts counts;
  for (std::size_t i = 0; i + order <= tokens.size(); ++i) {
    std::string ngram;
    for (std::size_t j = i; j < i + order; ++j) (ngram += tokens[j]) += ' ';
    ++counts[ngram];
  }
  return counts;
}

BleuScore SentenceCounts(const std::vector<std::string>& hypothesis,
                         const std::vector<std::string>& reference) {
  BleuScore counts;
  counts.hypothesis_tokens = static_cast<std::int64_t>(hypothesis.size());
  counts.reference_tokens = static_cast<std::int64_t>(reference.size());
  for (std::size_t n = 0; n < kOrders; ++n) {
    const Counts known = CountNgrams(reference, n + 1);
    for (const auto& [ngram, count] : CountNgrams(hypothesis, n + 1)) {
      counts.totals[n] += count;
      const auto found = known.find(ngram);
      if (found != known.end()) {
        counts.matches[n] += std::min(count, found->second);
      }
    }
  }
  return counts;
}

double BrevityPenalty(const BleuScore& counts) {
  if (counts.hypothesis_tokens >= counts.reference_tokens) return 1;
  if (counts.hypothesis_tokens == 0) return 0;
  return std::exp(1 - static_cast<double>(counts.reference_tokens) /
                          static_cast<double>(counts.hypothesis_tokens));
}

// `counts` with what follows from them.
BleuScore Scored(BleuScore counts, bool smooth) {
  counts.brevity_penalty = BrevityPenalty(counts);
  if (counts.matches == std::array<std::int64_t, kOrders>{}) return counts;
  double unmatched = 1;
  double sum = 0;
  for (std::size_t n = 0; n < kOrders && counts.totals[n] > 0; ++n) {
    auto matches = static_cast<double>(counts.matches[n]);
    if (matches == 0 && smooth) matches = 1 / (unmatched *= 2);
    counts.precisions[n] =
        100 * matches / static_cast<double>(counts.totals[n]);
  }
  for (const double precision : counts.precisions) sum += std::log(precision);
  counts.score = counts.brevity_penalty * std::exp(sum / kOrders);
  return counts;
}

}  // namespace

std::vector<std::string> BleuTokens(std::string_view text,
                                    const BleuOptions& options) {
  const std::string cased =
      options.lowercase ? Lowercase(text) : std::string(text);
  if (options.tokenizer == "none") return SplitAtBlanks(cased);
  return SplitAtBlanks(Apply13a(std::string(WithoutFinalBlanks(cased))));
}

BleuScore CorpusBleu(const std::vector<std::string>& hypotheses,
                     const std::vector<std::string>& references,
                     const BleuOptions& options) {
  CheckFields(options);
  if (hypotheses.empty() || hypotheses.size() != references.size()) {
    throw Error(ErrorCode::kUsage,
                "BLEU of " + std::to_string(hypotheses.size()) +
                    " hypotheses against " + std::to_string(references.size()) +
                    " references; it needs one reference for each of at least "
                    "one hypothesis");
  }
  BleuScore sum;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const BleuScore one = SentenceCounts(BleuTokens(hypotheses[i], options),
                                         BleuTokens(references[i], options));
    sum.hypothesis_tokens += one.hypothesis_tokens;
    sum.reference_tokens += one.reference_tokens;
    for (std::size_t n = 0; n < kOrders; ++n) {
      sum.matches[n] += one.matches[n];
      sum.totals[n] += one.totals[n];
    }
  }
  return Scored(sum, options.smoothing == "exp");
}

}  // namespace hone
