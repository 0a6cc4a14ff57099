#include "eval/quality.h"

#include <algorithm>
#include <cmath>

#include "space/base/error.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

// -log softmax(logits)[label].
double NatsOf(std::span<const float> logits, std::size_t label) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[label];
}

Metric Plain(double value, const char* unit) { return {value, unit, {}, {}}; }

}  // namespace

LanguageQuality LanguageQualityOf(double nats, std::int64_t tokens,
                                  std::int64_t characters) {
  if (tokens < 1 || characters < 1 || !(nats >= 0)) {
    throw Error(ErrorCode::kUsage,
                "the quality of a language model over " +
                    std::to_string(tokens) + " tokens and " +
                    std::to_string(characters) + " characters with a loss of " +
                    std::to_string(nats) +
                    " nats; it needs a text, and a loss of 0 or more");
  }
  const double per_token = nats / static_cast<double>(tokens);
  const double per_character = nats / static_cast<double>(characters);
  return {per_token, per_token / std::numbers::ln2, std::exp(per_token),
          per_character, per_character / std::numbers::ln2};
}

QualityMeter::QualityMeter(Topology topology, std::int64_t outputs)
    : topology_(topology),
      outputs_(static_cast<std::size_t>(outputs)),
      counts_(topology == Topology::kEncoder ? outputs_ : 0) {}

void QualityMeter::Add(std::span<const float> logits,
                       std::span<const std::int64_t> labels) {
  HONE_CHECK_EQ(logits.size(), labels.size() * outputs_);
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] == kNoLabel) continue;
    const auto label = static_cast<std::size_t>(labels[row]);
    const auto own = logits.subspan(row * outputs_, outputs_);
    ++labels_;
    if (topology_ != Topology::kEncoder) {
      nats_ += NatsOf(own, label);
      continue;
    }
    const auto best = static_cast<std::size_t>(
        std::max_element(own.begin(), own.end()) - own.begin());
    ++counts_.at(label).labelled;
    ++counts_[best].predicted;
    if (best == label) ++counts_[best].right;
  }
}

std::map<std::string, Metric> QualityMeter::Metrics(
    std::int64_t characters) const {
  HONE_CHECK(labels_ > 0);
  if (topology_ != Topology::kEncoder) {
    const LanguageQuality quality =
        LanguageQualityOf(nats_, labels_, characters);
    return {{"nats_per_token", Plain(quality.nats_per_token, "nat")},
            {"bits_per_token", Plain(quality.bits_per_token, "bit")},
            {"perplexity", Plain(quality.perplexity, "1")},
            {"nats_per_character", Plain(quality.nats_per_character, "nat")},
            {"bits_per_character", Plain(quality.bits_per_character, "bit")}};
  }
  std::int64_t right = 0;
  double sum = 0;
  std::int64_t present = 0;
  for (const ClassCounts& one : counts_) {
    right += one.right;
    if (one.labelled == 0) continue;
    ++present;
    sum += 2.0 * static_cast<double>(one.right) /
           static_cast<double>(one.labelled + one.predicted);
  }
  return {
      {"accuracy",
       Plain(static_cast<double>(right) / static_cast<double>(labels_), "1")},
      {"macro_f1", Plain(sum / static_cast<double>(present), "1")}};
}

std::int64_t PredictedCharacters(const TaskData& data) {
  // The first token of a running text is not predicted.
  if (data.IsStream()) {
    const auto tokens = static_cast<double>(data.stream.size());
    return std::llround(static_cast<double>(data.characters) * (tokens - 1) /
                        tokens);
  }
  std::int64_t characters = 0;
  for (const std::string& text : data.references) {
    characters += static_cast<std::int64_t>(SplitCharacters(text).size());
  }
  return characters;
}

}  // namespace hone
