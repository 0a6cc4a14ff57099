#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "space/base/fields.h"

namespace hone {

struct BleuOptions {
  std::string tokenizer = "13a";
  std::string smoothing = "exp";
  bool lowercase = false;

  template <typename Self, typename Visitor>
  static void Fields(Self& self, Visitor&& visit) {
    visit("tokenizer", self.tokenizer, OneOf{{"13a", "none"}},
          "13a: that of mteval-v13a, for plain text; none: for text whose "
          "tokens are already set apart by blanks");
    visit("smoothing", self.smoothing, OneOf{{"exp", "none"}},
          "exp: the k-th order without a match counts 1 / 2^k matches");
    visit("lowercase", self.lowercase, AnyValue{}, "ignore case");
  }
};

// What BLEU is made of. Arrays: orders 1 to 4.
struct BleuScore {
  double score = 0;                          // 0..100
  std::array<double, 4> precisions = {};     // 0..100, smoothed
  std::array<std::int64_t, 4> matches = {};  // n-grams, clipped
  std::array<std::int64_t, 4> totals = {};   // n-grams of the hypotheses
  double brevity_penalty = 0;
  std::int64_t hypothesis_tokens = 0;
  std::int64_t reference_tokens = 0;
};

// Corpus BLEU of order 4 against one reference each (Papineni et al. 2002), as
// sacreBLEU 2 computes it (Post 2018; effective_order off):
//   score = BP exp(mean over n = 1..4 of log precision_n),
//   precision_n = 100 matches_n / totals_n,
//   BP = 1, or exp(1 - r / h) where h hypothesis tokens are fewer than r
//   reference tokens.
// matches_n counts each n-gram of a hypothesis as often as its reference has
// it, at most. Smoothing exp: in the k-th order without matches they count as
// 1 / 2^k. An order without n-grams, or no match at all, makes the score 0.
// Texts are UTF-8. Throws Error{kUsage} for options that break their rules,
// when there are no texts, and when hypotheses and references are not equally
// many.
BleuScore CorpusBleu(const std::vector<std::string>& hypotheses,
                     const std::vector<std::string>& references,
                     const BleuOptions& options);

// What CorpusBleu counts as the tokens of a text. 13a is tokenization of
// mteval-v13a as sacreBLEU has it: <skipped>, a hyphen at the end of a line and
// the entities &quot; &amp; &lt; &gt; are undone, then punctuation is set
// apart, except ' and what stands between digits. Lower case is that of
// LowerCase (train/data/words.h); beyond sacreBLEU's it lacks the Greek final
// sigma, the dotted I of Turkish and rare scripts. Tokens are set apart by the
// blanks of Unicode.
std::vector<std::string> BleuTokens(std::string_view text,
                                    const BleuOptions& options);

}  // namespace hone
