#include "train/data/dataset.h"

#include <algorithm>
#include <utility>

#include "space/base/error.h"
#include "space/base/hash.h"
#include "train/data/delimited.h"
#include "train/data/task.h"
#include "train/data/wordnet.h"

namespace hone {
namespace {

// Parts are told apart by their lengths.
void AppendPart(std::string& text, const std::string& part) {
  text += std::to_string(part.size()) + ":" + part;
}

std::string ContentHash(const TextDataset& dataset) {
  std::string text;
  for (const std::string& name : dataset.classes) AppendPart(text, name);
  for (const auto* split : {&dataset.train, &dataset.dev}) {
    text += "\n";
    for (const LabelledText& example : *split) {
      AppendPart(text, example.text);
      text += std::to_string(example.label) + ";";
    }
  }
  return Sha256(text);
}

std::vector<std::string> SortedCategories() {
  std::vector<std::string> classes = LexicographerFiles();
  std::sort(classes.begin(), classes.end());
  return classes;
}

std::vector<LabelledText> WordNetSplit(const std::vector<Gloss>& glosses,
                                       const std::vector<std::string>& classes,
                                       Split split) {
  std::vector<LabelledText> examples;
  for (const Gloss& gloss : glosses) {
    if (gloss.split != split) continue;
    const std::string& name =
        LexicographerFiles()[static_cast<std::size_t>(gloss.category)];
    examples.push_back({gloss.text, ClassNumber(classes, name, "WordNet")});
  }
  return examples;
}

std::vector<LabelledRow> OwnRows(const TaskOptions& options,
                                 const std::string& path,
                                 const std::string& key) {
  if (path.empty()) {
    throw Error(
        ErrorCode::kUsage,
        "task." + key +
            ": missing; name a .tsv, .csv or .jsonl file, as task.train "
            "does");
  }
  return ReadLabelledRows(path, options.text_column, options.label_column);
}

// A person's own files, or none of them.
bool HasOwnFiles(const TaskOptions& options) {
  if (!options.train.empty()) return true;
  for (const auto& [key, path] :
       {std::pair("dev", options.dev), std::pair("test", options.test)}) {
    if (path.empty()) continue;
    throw Error(ErrorCode::kUsage,
                std::string("task.") + key +
                    ": without task.train the built-in data set is used, which "
                    "reads no files of yours; name task.train too");
  }
  return false;
}

std::vector<LabelledText> Label(std::vector<LabelledRow> rows,
                                const std::vector<std::string>& classes,
                                const std::string& path) {
  std::vector<LabelledText> examples;
  examples.reserve(rows.size());
  for (LabelledRow& row : rows) {
    const std::int64_t label =
        ClassNumber(classes, row.label, path + ":" + std::to_string(row.line));
    examples.push_back({std::move(row.text), label});
  }
  return examples;
}

TextDataset WordNetDataset() {
  TextDataset dataset;
  const std::vector<Gloss> glosses = ReadWordNet(WordNetFolder());
  dataset.classes = SortedCategories();
  dataset.train = WordNetSplit(glosses, dataset.classes, Split::kTrain);
  dataset.dev = WordNetSplit(glosses, dataset.classes, Split::kDev);
  return dataset;
}

TextDataset OwnDataset(const TaskOptions& options) {
  auto train = OwnRows(options, options.train, "train");
  auto dev = OwnRows(options, options.dev, "dev");
  std::vector<std::string> labels;
  for (const LabelledRow& row : train) labels.push_back(row.label);
  const std::vector<std::string> classes = ClassNames(labels);
  if (classes.size() < 2) {
    throw Error(ErrorCode::kUsage, options.train + ": every label is '" +
                                       classes.front() +
                                       "'; at least two classes are needed");
  }
  TextDataset dataset;
  dataset.classes = classes;
  dataset.train = Label(std::move(train), dataset.classes, options.train);
  dataset.dev = Label(std::move(dev), dataset.classes, options.dev);
  return dataset;
}

}  // namespace

TextDataset LoadDataset(const TaskOptions& options) {
  TextDataset dataset =
      HasOwnFiles(options) ? OwnDataset(options) : WordNetDataset();
  dataset.content_hash = ContentHash(dataset);
  return dataset;
}

std::vector<LabelledText> LoadTestSplit(
    const TaskOptions& options, const std::vector<std::string>& classes) {
  if (!HasOwnFiles(options)) {
    return WordNetSplit(ReadWordNet(WordNetFolder()), classes, Split::kTest);
  }
  return Label(OwnRows(options, options.test, "test"), classes, options.test);
}

}  // namespace hone
