#include "experiments/search_spec.h"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

SearchSpec Parse(const std::string& text,
                 const std::vector<std::string>& overrides = {}) {
  return ParseSearchSpec(text, "spec.toml", overrides);
}

std::string MessageOf(const std::string& text,
                      const std::vector<std::string>& overrides = {}) {
  try {
    Parse(text, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    return error.what();
  }
  return "accepted";
}

struct BadSpec {
  const char* name;
  const char* text;
  const char* begins;  // place and key
  const char* says;    // what is wrong or would be right
};

class BadSpecTest : public testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecTest, IsRefusedWithPlaceAndRemedy) {
  const std::string message = MessageOf(GetParam().text);
  EXPECT_THAT(message, StartsWith(GetParam().begins));
  EXPECT_THAT(message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadSpecTest,
    testing::Values(
        BadSpec{"HeadsOfOneWidth",
                "[space]\nd_model = [256]\n\nheads = [2, 4, 7]\n",
                "spec.toml:4:16: space.heads[2]: ",
                "7 does not divide d_model 256; use 1, 2, 4 or 8"},
        BadSpec{"HeadsOfSeveralWidths",
                "[space]\nd_model = [64, 128]\nheads = [2, 3]\n",
                "spec.toml:3:13: space.heads[1]: ", "3 does not divide"},
        BadSpec{"PiecesWithoutAFile", "[task]\nvocabulary = \"wordpiece\"\n",
                "spec.toml: task.vocabulary_file: missing", "vocab.txt"},
        BadSpec{"FileOfATrainedVocabulary",
                "[task]\nvocabulary_file = \"vocab.txt\"\n",
                "spec.toml:2:19: task.vocabulary_file: ",
                "of kind word is trained and reads no file"},
        BadSpec{"PoolingWithoutABert", "[teacher]\npooling = \"cls\"\n",
                "spec.toml:2:11: teacher.pooling: ",
                "only a BERT has hidden states to pool"},
        BadSpec{"BertThatReadsWords", "[teacher]\ncheckpoint = \".\"\n",
                "spec.toml: task.vocabulary: ", "use \"wordpiece\""},
        BadSpec{"BertOfAnotherTask",
                "[task]\nkind = \"language-model\"\nvocabulary = "
                "\"character\"\n[teacher]\ncheckpoint = \".\"\n",
                "spec.toml:5:14: teacher.checkpoint: ",
                "text-classification alone"},
        BadSpec{"UnknownTable", "[study]\n[traning]\n",
                "spec.toml:2:2: traning: unknown table",
                "did you mean 'training'?"},
        BadSpec{"UnknownKey", "[training]\n  stesp = 3\n",
                "spec.toml:2:3: training.stesp: unknown key",
                "did you mean 'steps'?"},
        BadSpec{"UnknownKeyOfSubtable", "[teacher.training]\nx_rate = 1\n",
                "spec.toml:2:1: teacher.training.x_rate: unknown key",
                "learning_rate"},
        BadSpec{"KeyOutsideOfTables", "trials = 3\n",
                "spec.toml:1:1: trials: unknown table", "use study"},
        BadSpec{"DuplicateKey", "[study]\nseed = 1\nseed = 2\n",
                "spec.toml:3:", "seed"},
        BadSpec{"DuplicateTable", "[study]\n[task]\n[study]\n",
                "spec.toml:3:", "study"},
        BadSpec{"StringForInteger", "[training]\nsteps = \"10\"\n",
                "spec.toml:2:9: training.steps: ",
                "an integer is needed, not a string"},
        BadSpec{"NumberForInteger", "[training]\nsteps = 1.5\n",
                "spec.toml:2:9: training.steps: ",
                "an integer is needed, not a number"},
        BadSpec{
            "ScalarForList", "[space]\nheads = 2\n",
            "spec.toml:2:9: space.heads: ", "a list is needed, not an integer"},
        BadSpec{"StringInList", "[space]\nheads = [2, \"4\"]\n",
                "spec.toml:2:13: space.heads[1]: ", "an integer is needed"},
        BadSpec{"ScalarForTable", "study = 3\n",
                "spec.toml:1:9: study: ", "a table is needed, not an integer"},
        BadSpec{"Date", "[study]\nname = 2026-01-01\n",
                "spec.toml:2:8: ", "dates"},
        BadSpec{"OutOfRange", "[training]\ndropout = 2.0\n",
                "spec.toml:2:11: training.dropout: ", "use 0 to 0.9"},
        BadSpec{"NotFinite", "[training]\nlearning_rate = nan\n",
                "spec.toml:2:17: training.learning_rate: ", "finite"},
        BadSpec{"UnknownWord", "[task]\nkind = \"text-clasification\"\n",
                "spec.toml:2:8: task.kind: ",
                "did you mean 'text-classification'?"},
        BadSpec{"UnknownPrecision",
                "[space]\nprecision = [\"f32\", \"w8a9\"]\n",
                "spec.toml:2:21: space.precision[1]: ", "\"w8a8\""},
        BadSpec{"PrecisionSpelledOtherwise",
                "[space]\nprecision = [\"w4:32\"]\n",
                "spec.toml:2:14: space.precision[0]: ", "is spelled 'w4'"},
        BadSpec{"UnknownAttention", "[space]\nattention = [\"lokal:3\"]\n",
                "spec.toml:2:14: space.attention[0]: ", "local:8"},
        BadSpec{"RungsOutOfOrder",
                "[search]\nrungs = [\"short\", \"inherited\"]\n",
                "spec.toml:2:9: search.rungs: ", "the cheapest first"},
        BadSpec{
            "RungPrecisionOfNoSpace",
            "[search]\nrungs = [\"short\"]\nrung_precision = \"w8a9\"\n",
            "spec.toml:3:18: search.rung_precision: ", "did you mean 'w8a8'?"},
        BadSpec{"RungPrecisionAlone",
                "[search]\nrungs = [\"short\"]\nrung_precision = \"w8a8\"\n"
                "other_precisions = false\n",
                "spec.toml:3:18: search.rung_precision: ",
                "needs search.other_precisions"},
        BadSpec{"EmptyList", "[space]\nlayers = []\n",
                "spec.toml:2:10: space.layers: ", "at least one"},
        BadSpec{"ChoiceTwice", "[space]\nlayers = [1, 2, 1]\n",
                "spec.toml:2:17: space.layers[2]: ", "'1'"},
        BadSpec{"UnknownCostMetric",
                "[space]\nconstraints = [\"paramters <= 3\"]\n",
                "spec.toml:2:16: space.constraints[0]: ", "'parameters'"},
        BadSpec{"UnknownObjective",
                "[study]\nobjectives = [\"maximize acuracy\"]\n",
                "spec.toml:2:15: study.objectives[0]: ",
                "did you mean 'accuracy'?"},
        BadSpec{"ObjectiveWithoutDirection",
                "[study]\nobjectives = [\"accuracy\"]\n",
                "spec.toml:2:15: study.objectives[0]: ", "maximize"},
        BadSpec{"ObjectiveTwice",
                "[study]\nobjectives = [\"maximize accuracy\", "
                "\"minimize accuracy\"]\n",
                "spec.toml:2:36: study.objectives[1]: ", "already"},
        BadSpec{"NoObjective", "[study]\nobjectives = []\n",
                "spec.toml:2:14: study.objectives: ", "maximize accuracy"},
        BadSpec{"UnknownConstraintMetric",
                "[study]\nconstraints = [\"latency <= 2\"]\n",
                "spec.toml:2:16: study.constraints[0]: ", "latency"},
        BadSpec{"NameLeavesTheFolder", "[study]\nname = \"../x\"\n",
                "spec.toml:2:8: study.name: ", "my-study"},
        BadSpec{
            "OwnDataWithoutFile",
            "[task]\nkind = \"text-classification\"\ntrain = \"a.tsv\"\n",
            "spec.toml: task.dev: ", "missing; task.train is a file of yours"},
        BadSpec{"TeacherHeads", "[teacher]\nd_model = 128\nheads = 3\n",
                "spec.toml:3:9: teacher.heads: ", "use 1, 2, 4 or 8"},
        BadSpec{"TwoKindsOfCheckpoints",
                "[teacher]\ncheckpoint = \"a\"\ncheckpoints = [\"b\"]\n",
                "spec.toml:3:15: teacher.checkpoints: ", "name all of them"},
        BadSpec{"UnknownDivergence",
                "[distillation]\ndivergence = \"forward\"\n",
                "spec.toml:2:14: distillation.divergence: ", "forward-kl"},
        BadSpec{"TopTokensOfAClassification",
                "[task]\nkind = \"text-classification\"\n"
                "[distillation]\ntop_k = 8\n",
                "spec.toml:4:9: distillation.top_k: ", "already"},
        BadSpec{"TopTokensOfAStream",
                "[task]\nkind = \"language-model\"\n"
                "vocabulary = \"character\"\n[distillation]\ntop_k = 8\n",
                "spec.toml:5:9: distillation.top_k: ", "leave it at 0"},
        BadSpec{"RelationsOfNoBlock",
                "[teacher]\nlayers = 2\n[distillation]\n"
                "relation_weight = 1\nrelation_layer = 3\n",
                "spec.toml:5:18: distillation.relation_layer: ",
                "the teacher's 2 blocks"},
        BadSpec{"LongerThanTheModelTakes",
                "[task]\nmax_tokens = 8\n[measurement]\ntokens = 16\n",
                "spec.toml:4:10: measurement.tokens: ", "task.max_tokens 8"},
        BadSpec{"LongerThanARowOfOnesOwn",
                "[task]\nkind = \"sequence-classification\"\ntrain = "
                "\"a.tsv\"\ndev = \"b.tsv\"\nmax_tokens = 8\n",
                "spec.toml: measurement.tokens: ", "task.max_tokens 8"},
        BadSpec{"SmoothingWithQat",
                "[quantization]\nqat_steps = 9\nsmoothing = true\n",
                "spec.toml:3:13: quantization.smoothing: ", "qat_steps = 0"},
        BadSpec{"ObjectiveOfAnotherTask",
                "[task]\nkind = \"language-model\"\nvocabulary = "
                "\"character\"\n[study]\nobjectives = [\"maximize "
                "accuracy\"]\n",
                "spec.toml:5:15: study.objectives[0]: ",
                "measures no accuracy; use nats_per_token"},
        BadSpec{"ConstraintOnWhatIsNotMeasured",
                "[search]\nfidelity = \"cost\"\n[study]\n"
                "constraints = [\"file_bytes <= 3\"]\n",
                "spec.toml:4:16: study.constraints[0]: ",
                "measures no file_bytes; use accuracy, latency_ms"},
        BadSpec{"HalvingWithoutRungs",
                "[search]\nalgorithm = \"successive-halving\"\n",
                "spec.toml: search.rungs: ", "needs some"},
        BadSpec{"RateOfASharedTable",
                "[task]\nkind = \"language-model\"\nvocabulary = "
                "\"character\"\n[training]\n"
                "embedding_learning_rate_scale = 2\n",
                "spec.toml:5:33: training.embedding_learning_rate_scale: ",
                "leave it at 1"},
        BadSpec{"NotToml", "[study\n", "spec.toml:1:", "table"},
        BadSpec{"NotUtf8", "[study]\nname = \"\xff\"\n", "spec.toml:2:", ""}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SearchSpecTest, DefaultsAreAccepted) { EXPECT_NO_THROW(Parse("")); }

TEST(SearchSpecTest, ObjectivesFollowTheTask) {
  EXPECT_THAT(Parse("").study.objectives,
              ElementsAre("maximize accuracy", "minimize latency_ms"));
  const std::string decoder =
      "[task]\nkind = \"language-model\"\nvocabulary = \"character\"\n";
  EXPECT_THAT(
      Parse(decoder).study.objectives,
      ElementsAre("minimize nats_per_character", "minimize ms_per_token"));
  EXPECT_THAT(
      Parse(decoder, {"measurement.engine=simulated"}).study.objectives,
      ElementsAre("minimize nats_per_character", "minimize latency_ms"));
  EXPECT_THAT(Parse(decoder, {"search.fidelity=cost"}).study.objectives,
              ElementsAre("maximize accuracy", "minimize latency_ms"));
  EXPECT_THAT(
      Parse("[task]\nkind = \"translation\"\nvocabulary = \"character\"\n")
          .study.objectives,
      ElementsAre("maximize bleu", "minimize generate_ms"));
}

TEST(SearchSpecTest, ShippedSpecsAreAccepted) {
  const std::filesystem::path root = std::getenv("HONE_SOURCE_DIR");
  int count = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(root / "experiments/specs")) {
    const SearchSpec spec = ReadSearchSpec(file.path(), {});
    EXPECT_EQ(spec.study.name, file.path().stem());
    ++count;
  }
  EXPECT_GT(count, 2);
}

TEST(SearchSpecTest, FillsEveryTable) {
  const SearchSpec spec = Parse(
      "[study]\nseed = 7\n[teacher]\nlayers = 3\n[teacher.training]\n"
      "steps = 5\n[training]\nsteps = 6\nlearning_rate = 1\n");
  EXPECT_EQ(spec.study.seed, 7);
  EXPECT_EQ(spec.teacher.layers, 3);
  EXPECT_EQ(spec.teacher_training.steps, 5);
  EXPECT_EQ(spec.training.steps, 6);
  EXPECT_EQ(spec.training.learning_rate, 1.0);  // an integer is a number too
}

TEST(SearchSpecTest, LimitsOfToml) {
  EXPECT_THAT(MessageOf(std::string((1 << 20) + 1, '#')), HasSubstr("1 MiB"));
  const std::string open(40, '[');
  EXPECT_THAT(MessageOf("x = " + open), HasSubstr("spec.toml:1:"));
  std::string dotted = "a";
  for (int i = 0; i < 100'000; ++i) dotted += ".a";
  EXPECT_THAT(MessageOf(dotted + " = 1"), HasSubstr("nested"));
  EXPECT_THAT(MessageOf("[study]\n[" + dotted + "]\n"), HasSubstr("nested"));
}

TEST(SearchSpecTest, OverridesWinAndAreChecked) {
  const std::string text = "[training]\nsteps = 5\n";
  const SearchSpec spec =
      Parse(text, {"training.steps=9", "teacher.training.steps=8",
                   "study.name=other", "space.heads=[1, 2]",
                   "study.objectives=[\"minimize latency_ms\"]"});
  EXPECT_EQ(spec.training.steps, 9);
  EXPECT_EQ(spec.teacher_training.steps, 8);
  EXPECT_EQ(spec.study.name, "other");
  EXPECT_THAT(spec.space.heads, ElementsAre(1, 2));
  EXPECT_THAT(spec.study.objectives, ElementsAre("minimize latency_ms"));
}

TEST(SearchSpecTest, BadOverridesNameThemselves) {
  EXPECT_THAT(MessageOf("", {"training.stepz=9"}),
              AllOf(StartsWith("--set training.stepz=9: "),
                    HasSubstr("did you mean 'steps'?")));
  EXPECT_THAT(MessageOf("", {"training.steps=0"}), HasSubstr("out of range"));
  EXPECT_THAT(MessageOf("", {"training.steps=ten"}),
              HasSubstr("an integer is needed, not a string"));
  EXPECT_THAT(MessageOf("", {"training.steps"}), HasSubstr("table.key=value"));
  EXPECT_THAT(MessageOf("", {"steps=1"}), HasSubstr("table.key=value"));
  EXPECT_THAT(MessageOf("", {"training.steps.x=1"}),
              HasSubstr("an integer is needed, not a table"));
  EXPECT_THAT(MessageOf("[training]\nsteps = 1\n", {"training.steps.x=1"}),
              HasSubstr("training.steps is no table"));
  EXPECT_THAT(MessageOf("", {"training.steps=1\n[x]"}), HasSubstr("one line"));
  EXPECT_THAT(MessageOf("", {"space.heads=[1"}), HasSubstr("TOML value"));
}

TEST(SearchSpecTest, JsonHoldsEveryFieldAndReadsBack) {
  const SearchSpec spec = Parse(
      "[study]\nname = \"a\"\n[training]\nlearning_rate = 0.1234567890123\n"
      "[teacher.training]\nsteps = 11\n[space]\nlayers = [3, 1]\n");
  const Json json = SpecToJson(spec);
  EXPECT_EQ(json["teacher"]["training"]["steps"], 11);
  EXPECT_EQ(json["teacher"]["layers"], spec.teacher.layers);
  EXPECT_EQ(SpecToJson(SpecFromJson(ParseJson(CanonicalJson(json), "spec"))),
            json);
  EXPECT_EQ(SpecHash(SpecFromJson(json)), SpecHash(spec));
}

// A study of an older program.
TEST(SearchSpecTest, StoredSpecMayLackNewerFields) {
  SearchSpec spec;
  spec.training.steps = 77;
  spec.search.reduction = 5;
  Json json = SpecToJson(spec);
  json["training"].erase("steps");
  json.erase("supernet");
  const SearchSpec read = SpecFromJson(json);
  EXPECT_EQ(read.training.steps, SearchSpec{}.training.steps);
  EXPECT_EQ(read.search.reduction, 5);
}

TEST(SearchSpecTest, StoredSpecOfAnotherKindIsAnIntegrityError) {
  for (const Json& damaged : {Json("many"), Json(nullptr)}) {
    for (const char* pointer : {"/training/steps", "/training"}) {
      Json json = SpecToJson(SearchSpec{});
      json[Json::json_pointer(pointer)] = damaged;
      try {
        SpecFromJson(json);
        FAIL() << "accepted " << pointer;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kIntegrity);
      }
    }
  }
}

// Every field but the number of trials is part of the hash.
TEST(SearchSpecTest, HashCoversAllButTheNumberOfTrials) {
  const SearchSpec base = Parse("");
  const Json stored = SpecToJson(base);
  const Json fields = stored.flatten();
  for (const auto& [pointer, value] : fields.items()) {
    Json changed = stored;
    Json& field = changed[Json::json_pointer(pointer)];
    if (field.is_boolean()) {
      field = !field.get<bool>();
    } else if (field.is_string()) {
      field = "other";
    } else if (field.is_number()) {
      field = field.get<double>() + 1;
    } else {
      field = Json::array({"other"});  // an empty list
    }
    if (field.is_number() && value.is_number_integer()) {
      field = field.get<std::int64_t>();
    }
    const bool same = SpecDifferences(stored, changed).empty();
    EXPECT_EQ(same, pointer == "/search/trials") << pointer;
    EXPECT_EQ(SpecHash(SpecFromJson(changed)) == SpecHash(base),
              pointer == "/search/trials")
        << pointer;
  }
}

TEST(SearchSpecTest, DifferencesNameFieldsAndBothValues) {
  const Json stored = SpecToJson(Parse(""));
  const Json given = SpecToJson(
      Parse("", {"training.steps=77", "study.seed=5", "search.trials=9"}));
  EXPECT_THAT(SpecDifferences(stored, stored), IsEmpty());
  EXPECT_THAT(
      SpecDifferences(stored, given),
      ElementsAre(SpecDifference{"study.seed", "1", "5"},
                  SpecDifference{"training.steps",
                                 stored["training"]["steps"].dump(), "77"}));
}

TEST(SearchSpecTest, ReferenceIsUpToDate) {
  const std::string path =
      std::string(std::getenv("HONE_SOURCE_DIR")) + "/docs/search_spec.md";
  EXPECT_EQ(ReadFile(path), SpecReference())
      << "run: hone docs spec > docs/search_spec.md";
}

TEST(SearchSpecTest, MissingFileIsNotFound) {
  try {
    ReadSearchSpec("no/such.toml", {});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_THAT(error.what(), HasSubstr("no/such.toml"));
  }
}

}  // namespace
}  // namespace hone
