#include <cmath>

#include <gtest/gtest.h>

#include "eval/decode/beam_search.h"
#include "eval/decode/generate.h"
#include "eval/decode/speculative.h"
#include "eval/eager_step_model.h"
#include "eval/export/onnx_export.h"
#include "eval/exported_network.h"
#include "space/base/file.h"
#include "tests/eval/reference_network.h"
#include "tests/eval/tested_engines.h"
#include "tests/space/kinds.h"
#include "tests/train/random_data.h"
#include "train/forward.h"
#include "train/trainer.h"

namespace hone {
namespace {

using Tokens = std::vector<std::int64_t>;

std::vector<NetworkCase> DecoderCases() {
  std::vector<NetworkCase> cases;
  for (const NetworkCase& one : NetworkCases(16, Precision::kF32)) {
    if (!one.architecture.decoder.empty()) cases.push_back(one);
  }
  // Sums and slots in one network.
  NetworkCase mixed = DecoderCase("linear", {16}, Precision::kF32);
  mixed.architecture.decoder[1] = BlockOf("full", 2, 32, Precision::kF32);
  mixed.name = "decoder mixed";
  cases.push_back(mixed);
  return cases;
}

// One network in the eager interpreter and in the engines that are there.
class Models {
 public:
  explicit Models(const NetworkCase& one, std::uint64_t seed = 5)
      : weights_(RandomWeights(one.architecture, one.task, seed)) {
    for (const auto& [name, bytes] :
         ExportOnnx(one.architecture, one.task, weights_, {})) {
      WriteFileAtomic(folder_ / name, bytes);
    }
    engine_ = MakeOpenVinoEngine();
    exported_ = engine_->LoadDecoder(folder_.path(), {});
    onnxruntime_ = MakeTestedEngine("onnxruntime");
    if (onnxruntime_) {
      another_ = onnxruntime_->LoadDecoder(folder_.path(), {});
    }
    eager_ = MakeEagerStepModel(one.architecture, one.task, weights_);
  }

  const NamedTensors& weights() const { return weights_; }
  StepModel& eager() { return *eager_; }
  StepModel& exported() { return *exported_; }
  std::vector<StepModel*> engines() {
    if (!another_) return {exported_.get()};
    return {exported_.get(), another_.get()};
  }
  std::vector<StepModel*> all() {
    std::vector<StepModel*> models = engines();
    models.push_back(eager_.get());
    return models;
  }

 private:
  NamedTensors weights_;
  ScratchFolder folder_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<EngineDecoder> exported_;
  std::unique_ptr<Engine> onnxruntime_;  // null: not installed
  std::unique_ptr<EngineDecoder> another_;
  std::unique_ptr<StepModel> eager_;
};

// Sources of different lengths, or none.
std::vector<Tokens> Sources(const TaskShape& task, std::int64_t count) {
  std::vector<Tokens> sources(static_cast<std::size_t>(count));
  if (task.topology == Topology::kDecoder) return sources;
  for (std::int64_t i = 0; i < count; ++i) {
    sources[static_cast<std::size_t>(i)] = RandomTokens(
        2 + 3 * (i % 4), task.vocabulary, 40 + static_cast<std::uint64_t>(i));
  }
  return sources;
}

// The logits after each token, without any memory: [T, V].
std::vector<float> Uncached(const NetworkCase& one, const NamedTensors& weights,
                            const Tokens& source, const Tokens& tokens) {
  TaskData data;
  if (source.empty()) {
    data.stream = tokens;
    data.stream.push_back(0);
    data.window = static_cast<std::int64_t>(tokens.size());
    return ComputeFlatLogits(one.architecture, one.task, weights, data, 1);
  }
  // The begin token and the target are read.
  data.tokens = {source};
  data.targets = {{tokens.begin() + 1, tokens.end()}};
  return ComputeFlatLogits(one.architecture, one.task, weights, data, 1);
}

Tokens Text(const NetworkCase& one, std::uint64_t seed, std::int64_t length) {
  Tokens tokens = RandomTokens(length, one.task.vocabulary - 2, seed);
  if (one.task.topology == Topology::kEncoderDecoder) {
    tokens[0] = BeginToken(one.task);
  }
  return tokens;
}

void ExpectNear(const std::vector<float>& actual,
                const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  EXPECT_LT(RelativeError(actual, expected), 1e-4) << what;
}

std::vector<float> Rows(const std::vector<float>& logits, std::int64_t begin,
                        std::int64_t end, std::int64_t width) {
  return {logits.begin() + begin * width, logits.begin() + end * width};
}

class CachedDecoding : public ::testing::TestWithParam<NetworkCase> {};

// Whatever the pieces in which a text is read.
TEST_P(CachedDecoding, EqualsUncached) {
  const NetworkCase& one = GetParam();
  Models models(one);
  const Tokens source = Sources(one.task, 1)[0];
  const Tokens text = Text(one, 1, 18);
  const std::int64_t width = one.task.vocabulary;
  const auto expected = Uncached(one, models.weights(), source, text);
  for (StepModel* model : models.all()) {
    const auto batch = model->Start({source});
    std::int64_t at = 0;
    for (const std::int64_t count : {3, 1, 1, 6, 1, 4, 2}) {
      const auto logits =
          batch->Extend({text.begin() + at, text.begin() + at + count}, count);
      ExpectNear(logits, Rows(expected, at, at + count, width),
                 "after " + std::to_string(at));
      at += count;
    }
  }
}

// Rows that come, go, change places and are shortened keep their own past.
TEST_P(CachedDecoding, KeepsRowsApart) {
  const NetworkCase& one = GetParam();
  Models models(one);
  const std::vector<Tokens> sources = Sources(one.task, 3);
  const std::int64_t width = one.task.vocabulary;
  const Tokens a = Text(one, 1, 12);
  const Tokens b = Text(one, 2, 12);
  const Tokens c = Text(one, 3, 12);
  const auto last = [&](std::size_t row, const Tokens& text,
                        std::int64_t length) {
    return Rows(Uncached(one, models.weights(), sources[row],
                         {text.begin(), text.begin() + length}),
                length - 1, length, width);
  };
  for (StepModel* model : models.all()) {
    auto batch = model->Start({sources[0], sources[1]});
    batch->Extend({a[0], a[1], a[2], b[0], b[1], b[2]}, 3);
    auto late = model->Start({sources[2]});
    late->Extend({c[0]}, 1);
    batch->Append(std::move(late));
    // Rows a (3 read), b (3), c (1).
    auto logits = batch->Extend({a[3], b[3], c[1]}, 1);
    ExpectNear(Rows(logits, 0, 1, width), last(0, a, 4), "a 4");
    ExpectNear(Rows(logits, 1, 2, width), last(1, b, 4), "b 4");
    ExpectNear(Rows(logits, 2, 3, width), last(2, c, 2), "c 2");
    batch->Select({2, 0, 2});
    logits = batch->Extend({c[2], c[3], a[4], a[5], b[5], b[6]}, 2);
    ExpectNear(Rows(logits, 1, 2, width), last(2, c, 4), "c 4");
    ExpectNear(Rows(logits, 3, 4, width), last(0, a, 6), "a 6");
    // Row 0 keeps both, row 1 one of the two, row 2 none.
    batch->Truncate({4, 5, 2});
    logits = batch->Extend({c[4], a[5], c[2]}, 1);
    ExpectNear(Rows(logits, 0, 1, width), last(2, c, 5), "c 5");
    ExpectNear(Rows(logits, 1, 2, width), last(0, a, 6), "a 6 again");
    ExpectNear(Rows(logits, 2, 3, width), last(2, c, 3), "c 3");
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CachedDecoding,
                         ::testing::ValuesIn(DecoderCases()),
                         [](const auto& info) { return TestName(info.param); });

std::vector<Prompt> Prompts(const NetworkCase& one, std::int64_t count) {
  const std::vector<Tokens> sources = Sources(one.task, count);
  std::vector<Prompt> prompts;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const bool alone = one.task.topology == Topology::kDecoder;
    prompts.push_back(
        {sources[i],
         Text(one, 100 + i, alone ? 1 + static_cast<std::int64_t>(i % 5) : 1)});
  }
  return prompts;
}

// Long prompts are read in pieces, and what no window reaches is forgotten.
TEST(Decoding, LongTextsEqualUncached) {
  const std::int64_t longest = 600;
  for (const auto& [first, second] :
       {std::pair{"local:3", "local:9"}, std::pair{"linear", "performer:12"},
        std::pair{"linear", "local:5"}, std::pair{"linear", "full"}}) {
    NetworkCase one = DecoderCase(first, {16}, Precision::kF32);
    one.architecture.decoder[1] = BlockOf(second, 2, 32, Precision::kF32);
    one.task = DecoderShape(50, longest);
    Models models(one);
    const Tokens a = Text(one, 1, longest);
    const Tokens b = Text(one, 2, longest);
    const auto expected_a = Uncached(one, models.weights(), {}, a);
    const auto expected_b = Uncached(one, models.weights(), {}, b);
    for (StepModel* model : models.engines()) {
      const auto batch = model->Start({{}, {}});
      const auto read = [&](std::int64_t from_a, std::int64_t from_b,
                            std::int64_t count) {
        Tokens tokens(a.begin() + from_a, a.begin() + from_a + count);
        tokens.insert(tokens.end(), b.begin() + from_b,
                      b.begin() + from_b + count);
        const auto logits = batch->Extend(tokens, count);
        const std::string what = std::string(first) + " " + second + " after " +
                                 std::to_string(from_a) + " and " +
                                 std::to_string(from_b);
        ExpectNear(Rows(logits, 0, count, 50),
                   Rows(expected_a, from_a, from_a + count, 50), what);
        ExpectNear(Rows(logits, count, 2 * count, 50),
                   Rows(expected_b, from_b, from_b + count, 50), what);
      };
      read(0, 0, 7);
      read(7, 7, 300);
      batch->Truncate({200, 40});
      read(200, 40, 1);
      read(201, 41, 2);
      read(203, 43, 390);
    }
  }
}

TEST(Decoding, EngineWritesWhatTheEagerInterpreterDoes) {
  for (const NetworkCase& one : {DecoderCase("full:2", {16}, Precision::kF32),
                                 DecoderCase("linear", {16}, Precision::kF32),
                                 TranslationCase({16}, Precision::kF32)}) {
    Models models(one);
    GenerateOptions options;
    options.max_new_tokens = 12;
    options.end_token = 3;
    options.batch = 5;
    const auto prompts = Prompts(one, 13);
    EXPECT_EQ(Generate(models.exported(), prompts, options, 1),
              Generate(models.eager(), prompts, options, 1))
        << one.name;
    options.temperature = 1;
    EXPECT_EQ(Generate(models.exported(), prompts, options, 1),
              Generate(models.eager(), prompts, options, 1))
        << one.name;
    BeamOptions beam;
    beam.max_new_tokens = 8;
    beam.end_token = 3;
    beam.beam = 1;
    const auto hypotheses = BeamSearch(models.exported(), prompts, beam);
    options = {};
    options.max_new_tokens = 8;
    options.end_token = 3;
    const auto greedy = Generate(models.eager(), prompts, options, 1);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      EXPECT_EQ(hypotheses[i].at(0).tokens, greedy[i]) << one.name;
    }
  }
}

TEST(Decoding, SpeculativeEqualsGreedyOnRealModels) {
  for (const char* word : {"full", "linear"}) {
    const NetworkCase one = DecoderCase(word, {16}, Precision::kF32);
    Models target(one, 5);
    const NetworkCase small = DecoderCase("full", {8}, Precision::kF32);
    Models draft(small, 6);
    const auto prompts = Prompts(one, 200);
    GenerateOptions greedy;
    greedy.max_new_tokens = 10;
    SpeculativeOptions speculative;
    speculative.max_new_tokens = 10;
    speculative.draft_tokens = 3;
    const auto expected = Generate(target.exported(), prompts, greedy, 0);
    EXPECT_EQ(DecodeSpeculatively(target.exported(), draft.exported(), prompts,
                                  speculative)
                  .texts,
              expected);
    // A draft that is always right costs the target a call for each round.
    const SpeculativeResult result = DecodeSpeculatively(
        target.exported(), target.eager(), prompts, speculative);
    EXPECT_EQ(result.texts, expected);
    EXPECT_GT(result.accepted, result.proposed * 9 / 10);
  }
}

TEST(Decoding, RefusesTextsThatAreTooLong) {
  const NetworkCase one = DecoderCase("full", {16}, Precision::kF32);
  Models models(one);
  for (StepModel* model : models.all()) {
    EXPECT_EQ(model->Info().max_tokens, one.task.max_tokens);
    EXPECT_EQ(model->Info().vocabulary, one.task.vocabulary);
    const auto batch = model->Start({{}});
    batch->Extend(Tokens(24, 1), 24);
    EXPECT_THROW(batch->Extend({1}, 1), Error);
  }
  const NetworkCase two = TranslationCase({16}, Precision::kF32);
  Models translators(two);
  for (StepModel* model : translators.all()) {
    EXPECT_THROW(model->Start({Tokens(25, 1)}), Error);
    EXPECT_THROW(model->Start({Tokens()}), Error);
  }
}

}  // namespace
}  // namespace hone
