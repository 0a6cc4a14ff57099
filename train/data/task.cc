#include "train/data/task.h"

#include <algorithm>
#include <map>
#include <set>

#include "space/base/error.h"
#include "space/base/hash.h"

namespace hone {
namespace {

const std::map<std::string, std::unique_ptr<Task>>& Tasks() {
  static const auto tasks = [] {
    std::map<std::string, std::unique_ptr<Task>> made;
    made["text-classification"] = MakeTextClassification();
    made["sequence-classification"] = MakeSequenceClassification();
    made["language-model"] = MakeLanguageModel();
    made["translation"] = MakeTranslation();
    made["image-classification"] = MakeImageClassification();
    made["audio-classification"] = MakeAudioClassification();
    return made;
  }();
  return tasks;
}

// Numbers and their counts, so that no two data sets read alike.
class DataHash {
 public:
  void Add(const std::vector<std::int64_t>& values) {
    AddBytes(values.data(), values.size(), sizeof(std::int64_t));
  }
  void Add(const std::vector<float>& values) {
    AddBytes(values.data(), values.size(), sizeof(float));
  }
  void Add(const std::string& text) { AddBytes(text.data(), text.size(), 1); }
  template <typename T>
  void Add(const std::vector<T>& list) {
    Add("[" + std::to_string(list.size()));
    for (const T& element : list) Add(element);
  }
  std::string Digest() const { return Sha256(digests_); }

 private:
  void AddBytes(const void* data, std::size_t count, std::size_t size) {
    digests_ += Sha256({static_cast<const char*>(data), count * size});
    digests_ += std::to_string(count) + ";";
  }
  std::string digests_;
};

std::string ContentHash(const PreparedData& data) {
  DataHash hash;
  hash.Add(data.classes);
  hash.Add(data.vocabulary_bytes);
  for (const TaskData* split : {&data.train, &data.dev}) {
    hash.Add(split->tokens);
    hash.Add(split->frames.values);
    hash.Add(split->frames.variants);
    hash.Add(split->labels);
    hash.Add(split->targets);
    hash.Add(split->references);
    hash.Add(split->stream);
    hash.Add(std::vector<std::int64_t>{split->frames.count, split->frames.width,
                                       split->window});
  }
  return hash.Digest();
}

// A long list of classes would bury the message.
std::string LabelHint(const std::string& label,
                      const std::vector<std::string>& classes) {
  constexpr std::size_t kMostListed = 20;
  const bool listed =
      classes.size() <= kMostListed || !NearestWord(label, classes).empty();
  return listed ? DidYouMean(label, classes) : "";
}

}  // namespace

TaskData Task::Example(const TaskOptions& options, const TaskTools&,
                       const Preparation&, const std::string&) const {
  throw Error(ErrorCode::kInternal,
              "task." + options.kind + " classifies nothing");
}

const Task& TaskOf(const std::string& kind) {
  const auto found = Tasks().find(kind);
  if (found != Tasks().end()) return *found->second;
  std::vector<std::string> kinds;
  for (const auto& [name, task] : Tasks()) kinds.push_back(name);
  throw Error(ErrorCode::kUsage,
              "unknown task '" + kind + "'" + DidYouMean(kind, kinds));
}

PreparedData PrepareData(const TaskOptions& options, const TaskTools& tools) {
  PreparedData data = TaskOf(options.kind).Prepare(options, tools);
  data.shape.topology = TopologyOf(options);
  data.shape.classes = static_cast<std::int64_t>(data.classes.size());
  if (data.vocabulary) data.vocabulary_bytes = data.vocabulary->Serialize();
  data.content_hash = ContentHash(data);
  return data;
}

std::vector<std::string> ClassNames(const std::vector<std::string>& labels) {
  const std::set<std::string> names(labels.begin(), labels.end());
  return {names.begin(), names.end()};
}

std::int64_t ClassNumber(const std::vector<std::string>& classes,
                         const std::string& label, const std::string& where) {
  const auto found = std::find(classes.begin(), classes.end(), label);
  if (found != classes.end()) return found - classes.begin();
  throw Error(ErrorCode::kUsage, where + ": the label '" + label +
                                     "' does not occur in the training file" +
                                     LabelHint(label, classes));
}

std::uint64_t HashPart(const std::string& text, std::uint64_t parts) {
  return std::stoul(Sha256(text).substr(0, 8), nullptr, 16) % parts;
}

std::vector<std::vector<std::int64_t>> Tokenize(
    const std::vector<std::string_view>& texts, const Vocabulary& vocabulary,
    std::int64_t max_tokens) {
  std::vector<std::vector<std::int64_t>> tokens;
  tokens.reserve(texts.size());
  for (const std::string_view text : texts) {
    tokens.push_back(vocabulary.Encode(text, max_tokens));
  }
  return tokens;
}

}  // namespace hone
