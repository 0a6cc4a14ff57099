#include <algorithm>
#include <functional>

#include "experiments/metric_names.h"
#include "experiments/spec_reader.h"
#include "search/objective.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::size_t kMaxObjectives = 4;  // columns of the store's scores

class SpecChecker {
 public:
  explicit SpecChecker(const LocatedSpec& located)
      : located_(located), spec_(located.spec) {}

  void Run() const {
    CheckName();
    CheckObjectives();
    CheckConstraints();
    CheckHeads();
    CheckSpace();
    CheckTask();
    CheckTeacher();
    CheckTraining();
    CheckQuantization();
    CheckDistillation();
    CheckMeasurement();
    CheckRungs();
  }

 private:
  // The place of `path`, else of the list it is an element of, else the file.
  std::string Where(const std::string& path) const {
    const auto found = located_.where.find(path);
    if (found != located_.where.end()) return found->second;
    const std::size_t bracket = path.rfind('[');
    return bracket == std::string::npos ? located_.source
                                        : Where(path.substr(0, bracket));
  }

  [[noreturn]] void Refuse(const std::string& path,
                           const std::string& what) const {
    throw Error(ErrorCode::kUsage, Where(path) + ": " + path + ": " + what);
  }

  // Runs a parser of an owner's words and adds the place to what it says.
  template <typename Function>
  auto Located(const std::string& path, Function function) const {
    try {
      return function();
    } catch (const Error& error) {
      Refuse(path, error.what());
    }
  }

  void CheckName() const {
    const std::string& name = spec_.study.name;
    const bool legal =
        !name.empty() && name.size() <= 100 && name[0] != '.' &&
        name[0] != '-' &&
        name.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyz"
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string::npos;
    if (!legal) {
      Refuse("study.name", "'" + name +
                               "' cannot name a file; use letters, digits, "
                               "'.', '_' and '-', such as my-study");
    }
  }

  void CheckMetric(const std::string& path, const std::string& metric) const {
    const std::vector<std::string>& names = MetricNames();
    if (std::find(names.begin(), names.end(), metric) == names.end()) {
      Refuse(path,
             "unknown metric '" + metric + "'" + DidYouMean(metric, names));
    }
    const std::vector<std::string> measured = MetricsOf(spec_);
    if (std::find(measured.begin(), measured.end(), metric) != measured.end()) {
      return;
    }
    std::string use;
    for (const std::string& name : measured) {
      use += (use.empty() ? "" : ", ") + name;
    }
    Refuse(path,
           "a search of this kind measures no " + metric + "; use " + use);
  }

  void CheckObjectives() const {
    const std::vector<std::string>& texts = spec_.study.objectives;
    if (texts.empty()) {
      Refuse("study.objectives",
             "at least one is needed, such as \"maximize accuracy\"");
    }
    if (texts.size() > kMaxObjectives) {
      Refuse("study.objectives[4]", "at most four objectives are kept");
    }
    std::vector<std::string> seen;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::string path = "study.objectives[" + std::to_string(i) + "]";
      const Objective objective =
          Located(path, [&] { return ParseObjective(texts[i]); });
      CheckMetric(path, objective.metric);
      if (std::find(seen.begin(), seen.end(), objective.metric) != seen.end()) {
        Refuse(path, objective.metric + " is an objective already");
      }
      seen.push_back(objective.metric);
    }
  }

  void CheckConstraints() const {
    const std::vector<std::string>& texts = spec_.study.constraints;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::string path = "study.constraints[" + std::to_string(i) + "]";
      const Constraint constraint =
          Located(path, [&] { return ParseConstraint(texts[i]); });
      CheckMetric(path, constraint.metric);
    }
  }

  // Says which heads would do, which SearchSpace does not.
  void CheckHeads() const {
    const SearchSpaceOptions& space = spec_.space;
    if (space.d_model.size() != 1) return;
    const std::int64_t d_model = space.d_model[0];
    for (std::size_t i = 0; i < space.heads.size(); ++i) {
      if (d_model % space.heads[i] == 0) continue;
      Refuse("space.heads[" + std::to_string(i) + "]",
             DoesNotDivide(space.heads[i], d_model));
    }
  }

  static std::string DoesNotDivide(std::int64_t heads, std::int64_t d_model) {
    std::vector<std::int64_t> divisors;
    for (std::int64_t divisor = 1; divisor <= 8; ++divisor) {
      if (d_model % divisor == 0) divisors.push_back(divisor);
    }
    std::string use;
    for (std::size_t i = 0; i < divisors.size(); ++i) {
      if (i > 0) use += i + 1 == divisors.size() ? " or " : ", ";
      use += std::to_string(divisors[i]);
    }
    return std::to_string(heads) + " does not divide d_model " +
           std::to_string(d_model) + "; use " + use;
  }

  // SearchSpace begins its messages with the path of the field.
  void CheckSpace() const {
    try {
      TaskShape shape;
      shape.topology = TopologyOf(spec_.task);
      SearchSpace(spec_.space, shape);
    } catch (const Error& error) {
      const std::string message = error.what();
      throw Error(
          ErrorCode::kUsage,
          Where(message.substr(0, message.find(": "))) + ": " + message);
    }
  }

  void CheckTask() const {
    const TaskOptions& task = spec_.task;
    const bool own = !task.train.empty();
    for (const auto& [key, file] :
         {std::pair{"task.dev", task.dev}, std::pair{"task.test", task.test}}) {
      if (!own && !file.empty()) {
        Refuse(key,
               "without task.train the built-in data set is used, which reads "
               "no files of yours; name task.train too");
      }
    }
    if (own && task.dev.empty()) {
      Refuse("task.dev",
             "missing; task.train is a file of yours, and the "
             "search measures quality on another one");
    }
    const std::string& kind = task.vocabulary;
    if (task.kind == "language-model" && kind != "character" &&
        kind != "sentencepiece") {
      Refuse("task.vocabulary",
             "a language model reads characters or subwords; use character or "
             "sentencepiece");
    }
    if (task.kind == "translation" && kind != "character" &&
        kind != "sentencepiece") {
      Refuse("task.vocabulary",
             "a translation is written in subwords or characters; use "
             "sentencepiece or character");
    }
    CheckVocabularyFile();
    if (task.kind == "image-classification") CheckPatch();
  }

  void CheckVocabularyFile() const {
    const TaskOptions& task = spec_.task;
    const bool pieces = task.vocabulary == "wordpiece";
    if (pieces && task.vocabulary_file.empty()) {
      Refuse("task.vocabulary_file",
             "missing; a wordpiece vocabulary is the vocab.txt of a BERT "
             "checkpoint");
    }
    if (!pieces && !task.vocabulary_file.empty()) {
      Refuse("task.vocabulary_file",
             "a vocabulary of kind " + task.vocabulary +
                 " is trained and reads no file; use vocabulary = "
                 "\"wordpiece\"");
    }
  }

  void CheckPatch() const {
    const TaskOptions& task = spec_.task;
    if (task.image_height % task.patch == 0 &&
        task.image_width % task.patch == 0) {
      return;
    }
    Refuse("task.patch",
           std::to_string(task.patch) + " does not divide image_height " +
               std::to_string(task.image_height) + " and image_width " +
               std::to_string(task.image_width));
  }

  // A folder is a BERT, which reads texts as word pieces.
  void CheckBert() const {
    if (spec_.task.kind != "text-classification") {
      Refuse("teacher.checkpoint",
             "a BERT can teach a text-classification alone, not a " +
                 spec_.task.kind);
    }
    if (spec_.task.vocabulary != "wordpiece") {
      Refuse("task.vocabulary",
             "a BERT teaches students that read its tokens; use \"wordpiece\" "
             "with its vocab.txt as vocabulary_file");
    }
  }

  // Tables that an output layer may share are trained as the rest.
  void CheckTraining() const {
    if (TopologyOf(spec_.task) == Topology::kEncoder) return;
    const std::pair<const char*, const TrainingOptions&> tables[] = {
        {"training", spec_.training},
        {"teacher.training", spec_.teacher_training},
        {"supernet.training", spec_.supernet_training}};
    for (const auto& [table, training] : tables) {
      if (training.embedding_learning_rate_scale == 1) continue;
      Refuse(std::string(table) + ".embedding_learning_rate_scale",
             "only an encoder's token embedding has a rate of its own; leave "
             "it at 1");
    }
  }

  void CheckQuantization() const {
    if (spec_.quantization.qat_steps > 0 && spec_.quantization.smoothing) {
      Refuse("quantization.smoothing",
             "training with rounded weights starts from the student's own; "
             "leave out smoothing or set qat_steps = 0");
    }
  }

  void CheckTeacher() const {
    if (IsBertFolder(spec_.teacher)) return CheckBert();
    if (spec_.teacher.pooling != TeacherOptions{}.pooling) {
      Refuse("teacher.pooling",
             "only a BERT has hidden states to pool; name its folder in "
             "teacher.checkpoint");
    }
    if (spec_.teacher.d_model % spec_.teacher.heads != 0) {
      Refuse("teacher.heads",
             DoesNotDivide(spec_.teacher.heads, spec_.teacher.d_model));
    }
    Located("teacher.attention", [&] {
      return TeacherArchitecture(spec_.teacher, TopologyOf(spec_.task));
    });
    if (!spec_.teacher.checkpoint.empty() &&
        !spec_.teacher.checkpoints.empty()) {
      Refuse("teacher.checkpoints",
             "teacher.checkpoint names a file too; name all of them here");
    }
  }

  void CheckDistillation() const {
    const Topology topology = TopologyOf(spec_.task);
    if (spec_.distillation.top_k > 0 && topology == Topology::kEncoder) {
      Refuse("distillation.top_k",
             "all logits of a classification are kept on disk already; leave "
             "it at 0");
    }
    if (spec_.distillation.top_k > 0 && topology == Topology::kDecoder) {
      Refuse("distillation.top_k",
             "a language model's windows begin elsewhere in each epoch, and so "
             "does what the teacher has read; leave it at 0");
    }
    std::int64_t blocks = spec_.teacher.layers;
    if (topology == Topology::kEncoderDecoder) {
      blocks = std::min(blocks, spec_.teacher.decoder_layers);
    }
    const std::int64_t layer = spec_.distillation.relation_layer;
    if (spec_.distillation.relation_weight > 0 && layer > blocks) {
      Refuse("distillation.relation_layer",
             std::to_string(layer) + " is more than the teacher's " +
                 std::to_string(blocks) + " blocks");
    }
  }

  // The longest sequence must fit the tables of places.
  void CheckLength(const std::string& path, std::int64_t tokens,
                   const std::string& limit, std::int64_t most,
                   const std::string& what) const {
    if (tokens <= most) return;
    Refuse(path, std::to_string(tokens) + " is more than " + limit + " " +
                     std::to_string(most) + ", " + what);
  }

  void CheckMeasurement() const {
    const TaskOptions& task = spec_.task;
    const MeasurementOptions& how = spec_.measurement;
    const bool own_rows =
        task.kind == "sequence-classification" && !task.train.empty();
    if (task.kind == "text-classification" || task.kind == "translation" ||
        own_rows) {
      CheckLength("measurement.tokens", how.tokens, "task.max_tokens",
                  task.max_tokens, "the longest text that a network takes");
    }
    if (task.kind == "translation") {
      CheckLength("measurement.new_tokens", how.new_tokens,
                  "task.max_target_tokens", task.max_target_tokens,
                  "the longest translation that a network writes");
    }
    if (task.kind == "language-model") {
      CheckLength("measurement.tokens", how.tokens + how.new_tokens,
                  "task.max_tokens", task.max_tokens,
                  "which prompt and new_tokens share");
    }
  }

  void CheckRungs() const {
    const std::vector<std::string>& rungs = spec_.search.rungs;
    if (!std::is_sorted(rungs.begin(), rungs.end()) ||
        std::adjacent_find(rungs.begin(), rungs.end()) != rungs.end()) {
      Refuse("search.rungs",
             "each once, the cheapest first: [\"inherited\", \"short\"]");
    }
    if (rungs.empty() && spec_.search.algorithm == "successive-halving") {
      Refuse("search.rungs",
             "successive halving needs some, such as [\"inherited\", "
             "\"short\"]");
    }
    const std::string& word = spec_.search.rung_precision;
    if (word.empty() || rungs.empty()) return;
    if (!spec_.search.other_precisions) {
      Refuse("search.rung_precision",
             "needs search.other_precisions: nothing else would measure the "
             "other precisions");
    }
    const std::vector<std::string>& words = spec_.space.precision;
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      Refuse("search.rung_precision", "\"" + word +
                                          "\" is not in space.precision" +
                                          DidYouMean(word, words));
    }
  }

  const LocatedSpec& located_;
  const SearchSpec& spec_;
};

}  // namespace

void CheckSpec(const LocatedSpec& located) { SpecChecker(located).Run(); }

}  // namespace hone
