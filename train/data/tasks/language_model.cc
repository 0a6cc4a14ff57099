#include <algorithm>
#include <limits>

#include "space/base/error.h"
#include "train/data/line_pairs.h"
#include "train/data/sword.h"
#include "train/data/task.h"
#include "train/data/utf8.h"

namespace hone {
namespace {

constexpr std::int64_t kAllTokens = std::numeric_limits<std::int64_t>::max();
// Of the verses of the built-in text, in order: the last tenth is the test
// split, the fiftieth before it the dev split.
constexpr std::size_t kDevFrom = 88;
constexpr std::size_t kTestFrom = 90;

struct Texts {
  std::string train;
  std::string dev;
};

// Verses [begin, end) percent, one a line.
std::string Verses(std::size_t begin, std::size_t end) {
  std::vector<std::string> verses;
  for (std::string& verse : ReadSwordModule(SwordFolder("engKJV2006eb"))) {
    if (!verse.empty()) verses.push_back(std::move(verse));
  }
  std::string text;
  for (std::size_t i = verses.size() * begin / 100;
       i < verses.size() * end / 100; ++i) {
    text += verses[i] + "\n";
  }
  return text;
}

std::string OwnText(const std::string& path, const char* key) {
  if (path.empty()) {
    throw Error(ErrorCode::kUsage, std::string("task.") + key +
                                       ": missing; name a text file, as "
                                       "task.train does");
  }
  return ReadTextFiles({path});
}

TaskData ToStream(const std::string& text, const Vocabulary& vocabulary,
                  const TaskOptions& options) {
  TaskData data;
  data.stream = vocabulary.Encode(text, kAllTokens);
  data.window = options.max_tokens;
  data.characters = static_cast<std::int64_t>(SplitCharacters(text).size());
  if (data.stream.size() < 2) {
    throw Error(ErrorCode::kUsage,
                "a language model's text needs at least two tokens");
  }
  return data;
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

class LanguageModel : public Task {
 public:
  PreparedData Prepare(const TaskOptions& options,
                       const TaskTools&) const override {
    if (options.vocabulary == "word" || options.vocabulary == "integer") {
      throw Error(ErrorCode::kUsage,
                  "task.vocabulary: a language model reads characters or "
                  "subwords; use character or sentencepiece");
    }
    const Texts texts =
        options.train.empty()
            ? Texts{Verses(0, kDevFrom), Verses(kDevFrom, kTestFrom)}
            : Texts{OwnText(options.train, "train"),
                    OwnText(options.dev, "dev")};
    PreparedData data;
    data.vocabulary = TrainVocabulary(
        options, options.vocabulary == "character"
                     ? std::vector<std::string_view>{texts.train}
                     : Lines(texts.train));
    data.train = ToStream(texts.train, *data.vocabulary, options);
    data.dev = ToStream(texts.dev, *data.vocabulary, options);
    data.shape.vocabulary = data.vocabulary->size();
    data.shape.max_tokens = options.max_tokens;
    return data;
  }

  TaskData TestSplit(const TaskOptions& options, const TaskTools&,
                     const Preparation& known) const override {
    HONE_CHECK(known.vocabulary != nullptr);
    return ToStream(options.train.empty() ? Verses(kTestFrom, 100)
                                          : OwnText(options.test, "test"),
                    *known.vocabulary, options);
  }
};

}  // namespace

std::unique_ptr<Task> MakeLanguageModel() {
  return std::make_unique<LanguageModel>();
}

}  // namespace hone
