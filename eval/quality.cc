#include "eval/quality.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "space/base/error.h"

namespace hone {
namespace {

// What macro-F1 needs to know of one class.
struct ClassCounts {
  std::int64_t labelled = 0;
  std::int64_t predicted = 0;
  std::int64_t right = 0;
};

}  // namespace

ClassificationQuality QualityOf(const std::vector<float>& logits,
                                const std::vector<std::int64_t>& labels,
                                std::int64_t classes) {
  HONE_CHECK(!labels.empty());
  HONE_CHECK_EQ(static_cast<std::int64_t>(logits.size()),
                static_cast<std::int64_t>(labels.size()) * classes);
  std::vector<ClassCounts> counts(static_cast<std::size_t>(classes));
  std::int64_t right = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto first =
        logits.begin() + static_cast<std::ptrdiff_t>(row) * classes;
    const auto best = static_cast<std::size_t>(
        std::max_element(first, first + classes) - first);
    const auto label = static_cast<std::size_t>(labels[row]);
    ++counts.at(label).labelled;
    ++counts[best].predicted;
    if (best == label) {
      ++counts[best].right;
      ++right;
    }
  }
  double sum = 0;
  std::int64_t present = 0;
  for (const ClassCounts& one : counts) {
    if (one.labelled == 0) continue;
    ++present;
    sum += 2.0 * static_cast<double>(one.right) /
           static_cast<double>(one.labelled + one.predicted);
  }
  return {static_cast<double>(right) / static_cast<double>(labels.size()),
          sum / static_cast<double>(present)};
}

std::vector<float> RunModel(EngineModel& model, const TaskData& data,
                            std::int64_t batch_size, std::int64_t classes) {
  std::vector<float> logits(data.size() * static_cast<std::size_t>(classes));
  for (const Batch& batch : OrderedBatches(data, batch_size)) {
    const auto rows = static_cast<std::int64_t>(batch.rows.size());
    const std::vector<float> part =
        model.Run(GatherTokens(data, batch), rows, batch.tokens);
    HONE_CHECK_EQ(static_cast<std::int64_t>(part.size()), rows * classes);
    for (std::int64_t i = 0; i < rows; ++i) {
      std::copy_n(
          part.begin() + i * classes, classes,
          logits.begin() + batch.rows[static_cast<std::size_t>(i)] * classes);
    }
  }
  return logits;
}

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

}  // namespace hone
