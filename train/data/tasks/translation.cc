#include <limits>

#include "space/base/error.h"
#include "train/data/line_pairs.h"
#include "train/data/sword.h"
#include "train/data/task.h"
#include "train/data/utf8.h"
#include "train/data/wordnet.h"
#include "train/data/words.h"

namespace hone {
namespace {

constexpr std::int64_t kAllTokens = std::numeric_limits<std::int64_t>::max();

// Spanish and English verses that both have text: of 20 parts of the English
// verses one is test and one is dev.
std::vector<TextPair> Verses(Split split) {
  std::vector<TextPair> pairs =
      ReadSwordPairs(SwordFolder("spaRV1909eb"), SwordFolder("engKJV2006eb"));
  std::erase_if(pairs, [&](const TextPair& pair) {
    const std::uint64_t part = HashPart(pair.target, 20);
    return split != (part == 0   ? Split::kTest
                     : part == 1 ? Split::kDev
                                 : Split::kTrain);
  });
  return pairs;
}

std::vector<TextPair> OwnPairs(const TaskOptions& options,
                               const std::string& source,
                               const std::string& target, const char* key) {
  if (source.empty()) {
    throw Error(ErrorCode::kUsage,
                std::string("task.") + key +
                    ": missing; name a .tsv file, or a text file with "
                    "translations in task." +
                    key + "_target");
  }
  return target.empty()
             ? ReadPairRows(source, options.text_column, options.target_column)
             : ReadLinePairs(source, target);
}

std::string Folded(const std::string& text) {
  std::string folded;
  for (const std::string_view one : SplitCharacters(text)) {
    folded += EncodeUtf8(LowerCase(DecodeUtf8(one).value));
  }
  return folded;
}

class Translation : public Task {
 public:
  PreparedData Prepare(const TaskOptions& options,
                       const TaskTools&) const override {
    if (options.vocabulary != "sentencepiece" &&
        options.vocabulary != "character") {
      throw Error(ErrorCode::kUsage,
                  "task.vocabulary: a translation is written in subwords or "
                  "characters; use sentencepiece or character");
    }
    const bool own = !options.train.empty();
    const auto train =
        own ? OwnPairs(options, options.train, options.train_target, "train")
            : Verses(Split::kTrain);
    const auto dev =
        own ? OwnPairs(options, options.dev, options.dev_target, "dev")
            : Verses(Split::kDev);
    std::vector<std::string_view> texts;
    for (const TextPair& pair : train) {
      texts.push_back(pair.source);
      texts.push_back(pair.target);
    }
    PreparedData data;
    data.vocabulary = TrainVocabulary(options, texts);
    data.train = ToNumbers(train, *data.vocabulary, options, "train");
    data.dev = ToNumbers(dev, *data.vocabulary, options, "dev");
    // Two more entries begin and end a translation.
    data.shape.vocabulary = data.vocabulary->size() + 2;
    data.shape.max_tokens = options.max_tokens;
    data.shape.max_target_tokens = options.max_target_tokens;
    return data;
  }

  TaskData TestSplit(const TaskOptions& options, const TaskTools&,
                     const Preparation& known) const override {
    HONE_CHECK(known.vocabulary != nullptr);
    const auto pairs =
        options.train.empty()
            ? Verses(Split::kTest)
            : OwnPairs(options, options.test, options.test_target, "test");
    return ToNumbers(pairs, *known.vocabulary, options, "test");
  }

 private:
  // Pairs that fit the lengths; the target's end takes one more place.
  static TaskData ToNumbers(const std::vector<TextPair>& pairs,
                            const Vocabulary& vocabulary,
                            const TaskOptions& options, const char* split) {
    // Characters are written as they are.
    const bool folds =
        options.fold_case && options.vocabulary == "sentencepiece";
    TaskData data;
    for (const TextPair& pair : pairs) {
      auto source = vocabulary.Encode(pair.source, kAllTokens);
      auto target = vocabulary.Encode(pair.target, kAllTokens);
      if (static_cast<std::int64_t>(source.size()) > options.max_tokens ||
          static_cast<std::int64_t>(target.size()) + 1 >
              options.max_target_tokens) {
        continue;
      }
      data.tokens.push_back(std::move(source));
      data.targets.push_back(std::move(target));
      data.references.push_back(folds ? Folded(pair.target) : pair.target);
    }
    if (data.tokens.empty()) {
      throw Error(ErrorCode::kUsage,
                  std::string("task.max_tokens: no pair of the ") + split +
                      " split has at most " +
                      std::to_string(options.max_tokens) + " and " +
                      std::to_string(options.max_target_tokens - 1) +
                      " tokens; use more");
    }
    return data;
  }
};

}  // namespace

std::unique_ptr<Task> MakeTranslation() {
  return std::make_unique<Translation>();
}

}  // namespace hone
