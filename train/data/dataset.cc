#include "train/data/dataset.h"

#include <algorithm>
#include <set>

#include "space/base/error.h"
#include "space/base/hash.h"
#include "train/data/delimited.h"
#include "train/data/wordnet.h"

namespace hone {
namespace {

std::int64_t ClassOf(const std::vector<std::string>& classes,
                     const std::string& label) {
  const auto found = std::lower_bound(classes.begin(), classes.end(), label);
  if (found == classes.end() || *found != label) return -1;
  return found - classes.begin();
}

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
    examples.push_back({gloss.text, ClassOf(classes, name)});
  }
  return examples;
}

std::vector<LabelledRow> OwnRows(const TaskOptions& options,
                                 const std::string& path,
                                 const std::string& key) {
  if (path.empty()) {
    throw Error(ErrorCode::kUsage,
                "task." + key + ": name a .tsv, .csv or .jsonl file");
  }
  return ReadLabelledRows(path, options.text_column, options.label_column);
}

std::vector<LabelledText> Label(const std::vector<LabelledRow>& rows,
                                const std::vector<std::string>& classes,
                                const std::string& path) {
  std::vector<LabelledText> examples;
  for (const LabelledRow& row : rows) {
    const std::int64_t label = ClassOf(classes, row.label);
    if (label < 0) {
      throw Error(ErrorCode::kUsage,
                  path + ":" + std::to_string(row.line) + ": the label '" +
                      row.label + "' does not occur in the training file" +
                      DidYouMean(row.label, classes));
    }
    examples.push_back({row.text, label});
  }
  return examples;
}

}  // namespace

TextDataset LoadDataset(const TaskOptions& options) {
  TextDataset dataset;
  if (options.kind == "wordnet-gloss") {
    const std::vector<Gloss> glosses = ReadWordNet(WordNetFolder());
    dataset.classes = SortedCategories();
    dataset.train = WordNetSplit(glosses, dataset.classes, Split::kTrain);
    dataset.dev = WordNetSplit(glosses, dataset.classes, Split::kDev);
  } else {
    const auto train = OwnRows(options, options.train, "train");
    const auto dev = OwnRows(options, options.dev, "dev");
    std::set<std::string> classes;
    for (const LabelledRow& row : train) classes.insert(row.label);
    if (classes.size() < 2) {
      throw Error(ErrorCode::kUsage, options.train +
                                         ": all labels are equal; at least two "
                                         "classes are needed");
    }
    dataset.classes.assign(classes.begin(), classes.end());
    dataset.train = Label(train, dataset.classes, options.train);
    dataset.dev = Label(dev, dataset.classes, options.dev);
  }
  dataset.content_hash = ContentHash(dataset);
  return dataset;
}

std::vector<LabelledText> LoadTestSplit(
    const TaskOptions& options, const std::vector<std::string>& classes) {
  if (options.kind == "wordnet-gloss") {
    return WordNetSplit(ReadWordNet(WordNetFolder()), classes, Split::kTest);
  }
  return Label(OwnRows(options, options.test, "test"), classes, options.test);
}

}  // namespace hone
