#include <algorithm>

#include "space/base/error.h"
#include "train/data/dataset.h"
#include "train/data/task.h"
#include "train/data/tasks/fashion_mnist.h"

namespace hone {
namespace {

std::vector<std::string_view> TextsOf(
    const std::vector<LabelledText>& examples) {
  std::vector<std::string_view> texts;
  for (const LabelledText& example : examples) texts.push_back(example.text);
  return texts;
}

TaskData ToNumbers(const std::vector<LabelledText>& examples,
                   const Vocabulary& vocabulary, std::int64_t max_tokens) {
  TaskData data;
  data.unknown = vocabulary.unknown();
  data.tokens = Tokenize(TextsOf(examples), vocabulary, max_tokens);
  for (const LabelledText& example : examples) {
    data.labels.push_back(example.label);
  }
  return data;
}

class TextClassification : public Task {
 public:
  PreparedData Prepare(const TaskOptions& options,
                       const TaskTools&) const override {
    TextDataset dataset = LoadDataset(options);
    PreparedData data;
    data.vocabulary = TrainVocabulary(options, TextsOf(dataset.train));
    data.train = ToNumbers(dataset.train, *data.vocabulary, options.max_tokens);
    data.dev = ToNumbers(dataset.dev, *data.vocabulary, options.max_tokens);
    data.classes = std::move(dataset.classes);
    data.shape.vocabulary = data.vocabulary->size();
    data.shape.max_tokens = options.max_tokens;
    return data;
  }

  TaskData TestSplit(const TaskOptions& options, const TaskTools&,
                     const Preparation& known) const override {
    HONE_CHECK(known.vocabulary != nullptr);
    return ToNumbers(LoadTestSplit(options, known.classes), *known.vocabulary,
                     options.max_tokens);
  }

  TaskData Example(const TaskOptions& options, const TaskTools&,
                   const Preparation& known,
                   const std::string& text) const override {
    HONE_CHECK(known.vocabulary != nullptr);
    TaskData data;
    data.tokens = {known.vocabulary->Encode(text, options.max_tokens)};
    return data;
  }
};

// The pixels of an image, row after row, as tokens.
TaskData PixelTokens(const LabelledImages& images) {
  TaskData data;
  const auto pixels = static_cast<std::size_t>(images.height * images.width);
  for (std::size_t row = 0; row < images.labels.size(); ++row) {
    const auto first =
        images.pixels.begin() + static_cast<std::ptrdiff_t>(row * pixels);
    data.tokens.emplace_back(first,
                             first + static_cast<std::ptrdiff_t>(pixels));
  }
  data.labels = images.labels;
  return data;
}

// Long sequences of numbers: own files, or images as a row of pixels, the form
// of "Image" in Long Range Arena (Tay et al. 2021).
class SequenceClassification : public Task {
 public:
  PreparedData Prepare(const TaskOptions& given,
                       const TaskTools& tools) const override {
    TaskOptions options = given;
    options.vocabulary = "integer";
    if (!options.train.empty()) return texts_.Prepare(options, tools);
    PreparedData data;
    options.vocabulary_size = 256;
    data.vocabulary = TrainVocabulary(options, {});
    const FashionMnist images = ReadFashionMnist(/*test=*/false);
    data.train = PixelTokens(images.train);
    data.dev = PixelTokens(images.dev);
    data.classes = FashionMnistClasses();
    data.shape.vocabulary = data.vocabulary->size();
    data.shape.max_tokens = images.train.height * images.train.width;
    return data;
  }

  TaskData TestSplit(const TaskOptions& options, const TaskTools& tools,
                     const Preparation& known) const override {
    if (!options.train.empty()) {
      return texts_.TestSplit(options, tools, known);
    }
    return PixelTokens(ReadFashionMnist(/*test=*/true).test);
  }

  TaskData Example(const TaskOptions& options, const TaskTools& tools,
                   const Preparation& known,
                   const std::string& text) const override {
    return texts_.Example(options, tools, known, text);
  }

 private:
  TextClassification texts_;
};

}  // namespace

std::unique_ptr<Task> MakeTextClassification() {
  return std::make_unique<TextClassification>();
}

std::unique_ptr<Task> MakeSequenceClassification() {
  return std::make_unique<SequenceClassification>();
}

}  // namespace hone
