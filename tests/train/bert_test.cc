#include "train/distill/bert.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/network/transformer.h"
#include "tests/train/bert_fixtures.h"
#include "tests/train_data/expect_error.h"
#include "train/data/vocabulary.h"
#include "train/distill/bert_encoder.h"

namespace hone {
namespace {

constexpr char kQuery[] = "encoder.layer.1.attention.self.query.weight";

double LargestDifference(const at::Tensor& a, const TensorData& b) {
  const at::Tensor expected = ToTensor(b, at::kCPU);
  EXPECT_EQ(a.sizes(), expected.sizes());
  return a.sub(expected).abs().max().item<double>();
}

// Largest difference from the Python library over all texts.
struct Differences {
  double hidden = 0;
  double pooled = 0;
};

Differences FromTheLibrary(const BertCheckpoint& checkpoint) {
  const NamedTensors expected =
      ReadSafeTensors(TinyBertFolder() / "expected.safetensors").tensors;
  StoredWeights weights(checkpoint.weights, at::kCPU);
  const std::string query = "encoder.1.attention.query";
  BertEncoder encoder(weights, checkpoint.bert, {kLastHiddenTap, query});
  Differences most;
  for (int i = 0; i < 5; ++i) {
    const std::string name = "." + std::to_string(i);
    const at::Tensor tokens_BT =
        ToTensor(expected.at("tokens" + name), at::kCPU).unsqueeze(0);
    const at::Tensor hidden_BTD = encoder.HiddenStates(tokens_BT);
    most.hidden = std::max(
        most.hidden,
        LargestDifference(hidden_BTD[0], expected.at("hidden" + name)));
    most.pooled =
        std::max(most.pooled, LargestDifference(encoder.Pooled(hidden_BTD)[0],
                                                expected.at("pooled" + name)));
    // Of the text's own tokens, without [CLS] and [SEP].
    EXPECT_TRUE(encoder.TakeTap(kLastHiddenTap)
                    .equal(hidden_BTD.slice(1, 1, hidden_BTD.size(1) - 1)));
    EXPECT_EQ(encoder.TakeTap(query).size(1), tokens_BT.size(1));
  }
  return most;
}

TEST(Bert, EqualsThePythonLibrary) {
  const Differences most = FromTheLibrary(ReadBertCheckpoint(TinyBertFolder()));
  EXPECT_LT(most.hidden, 1e-5);
  EXPECT_LT(most.pooled, 1e-5);
}

TEST(Bert, TheComparisonSeesTheEpsilonOfTheNorms) {
  BertCheckpoint checkpoint = ReadBertCheckpoint(TinyBertFolder());
  EXPECT_EQ(checkpoint.bert.norm_epsilon, 1e-12);
  checkpoint.bert.norm_epsilon = 1e-5;
  EXPECT_GT(FromTheLibrary(checkpoint).hidden, 1e-2);
}

TEST(Bert, TextsBecomeTheLibrarysTokens) {
  const NamedTensors expected =
      ReadSafeTensors(TinyBertFolder() / "expected.safetensors").tensors;
  const auto vocabulary = TrainVocabulary(BertVocabulary(TinyBertFolder()), {});
  const Json texts = ParseJson(ReadFile(TinyBertFolder() / "texts.json"), "");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const TensorData& tokens = expected.at("tokens." + std::to_string(i));
    EXPECT_EQ(vocabulary->Encode(texts[i].get<std::string>(), 18),
              std::vector<std::int64_t>(
                  tokens.data<std::int64_t>(),
                  tokens.data<std::int64_t>() + tokens.elements()));
  }
}

TEST(Bert, OldNamesPrefixAndHeadsAreTheSameCheckpoint) {
  const TinyBertCopy copy;
  NamedTensors tensors;
  for (auto& [name, tensor] : copy.ReadTensors()) {
    std::string old = "bert." + name;
    const std::size_t norm = old.find("LayerNorm.");
    if (norm != std::string::npos) {
      old.replace(norm + 10, old.npos,
                  old.ends_with("weight") ? "gamma" : "beta");
    }
    tensors[old] = tensor;
  }
  tensors["bert.embeddings.position_ids"] = {
      DType::kI64, {1, 2}, std::vector<std::byte>(16)};
  tensors["cls.predictions.bias"] = TensorData::FromFloats({2}, {1, 2});
  tensors["classifier.weight"] = TensorData::FromFloats({1, 1}, {1});
  copy.WriteTensors(tensors);
  EXPECT_EQ(ReadBertCheckpoint(copy.path()).weights,
            ReadBertCheckpoint(TinyBertFolder()).weights);
}

// The upper halves of the floats as a checkpoint in bf16.
TEST(Bert, ReadsACheckpointInHalfPrecision) {
  const TinyBertCopy copy;
  NamedTensors tensors = copy.ReadTensors();
  Json header = Json::object();
  std::string buffer;
  for (auto& [name, tensor] : tensors) {
    const std::size_t begin = buffer.size();
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      char* bytes = reinterpret_cast<char*>(tensor.data<float>() + i);
      std::memset(bytes, 0, 2);
      buffer.append(bytes + 2, 2);
    }
    header[name] = {{"dtype", "BF16"},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, buffer.size()}}};
  }
  const std::string text = header.dump();
  const std::uint64_t size = text.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  copy.Write("model.safetensors", file + text + buffer);
  const NamedTensors halved = ReadBertCheckpoint(copy.path()).weights;
  copy.WriteTensors(tensors);
  EXPECT_EQ(halved, ReadBertCheckpoint(copy.path()).weights);
}

TEST(Bert, WithoutAPoolerHasNone) {
  const TinyBertCopy copy;
  NamedTensors tensors = copy.ReadTensors();
  tensors.erase("pooler.dense.weight");
  tensors.erase("pooler.dense.bias");
  copy.WriteTensors(tensors);
  const BertCheckpoint checkpoint = ReadBertCheckpoint(copy.path());
  EXPECT_FALSE(checkpoint.weights.contains("pooler.weight"));
  ExpectError(ErrorCode::kUsage, "has no pooler; use mean or cls", [&] {
    BertFeatures(checkpoint, "pooler", {}, 8, [](double) {});
  });
}

void ExpectIntegrity(const TinyBertCopy& copy, const std::string& message) {
  ExpectError(ErrorCode::kIntegrity, message,
              [&] { ReadBertCheckpoint(copy.path()); });
}

TEST(DamagedBert, IsRefusedHoweverItWasCut) {
  const TinyBertCopy copy;
  const std::string whole = ReadFile(TinyBertFolder() / "model.safetensors");
  for (std::size_t size = 0; size < whole.size(); size += 1 + size / 7) {
    copy.Write("model.safetensors", whole.substr(0, size));
    ExpectIntegrity(copy, "not a sound safetensors file");
  }
}

TEST(DamagedBert, TheTensorIsNamed) {
  const TinyBertCopy copy;
  const NamedTensors good = copy.ReadTensors();
  NamedTensors tensors = good;
  for (const auto& [name, tensor] : good) {
    if (name.starts_with("pooler.dense.weight")) continue;  // may be missing
    tensors.erase(name);
    copy.WriteTensors(tensors);
    ExpectIntegrity(copy, name.ends_with("dense.bias") && name[0] == 'p'
                              ? "'pooler.dense.bias' is missing"
                              : "'" + name + "' is missing");
    tensors[name] = tensor;
  }
  tensors[kQuery].shape = {8, 32};
  copy.WriteTensors(tensors);
  ExpectIntegrity(copy, std::string("'") + kQuery +
                            "' is [8,32]; config.json says [16,16]");
  for (const float bad : {NAN, std::numeric_limits<float>::infinity()}) {
    tensors = good;
    tensors[kQuery].data<float>()[17] = bad;
    copy.WriteTensors(tensors);
    ExpectIntegrity(copy,
                    std::string("'") + kQuery + "' holds NaN or infinity");
  }
  tensors = good;
  tensors[kQuery].dtype = DType::kI32;
  copy.WriteTensors(tensors);
  ExpectIntegrity(copy, "holds integers");
  tensors = good;
  tensors["encoder.layer.2.output.dense.bias"] = good.at(kQuery);
  copy.WriteTensors(tensors);
  ExpectIntegrity(copy,
                  "'encoder.layer.2.output.dense.bias' is none of a BERT's");
}

struct BadConfig {
  const char* key;
  Json value;
  const char* message;
};

TEST(DamagedBert, TheConfigsKeyIsNamed) {
  const BadConfig table[] = {
      {"model_type", "roberta", "model_type is \"roberta\"; only a BERT"},
      {"model_type", nullptr, "model_type is missing"},
      {"hidden_act", "gelu_new", "hidden_act is \"gelu_new\"; known are gelu"},
      {"hidden_act", nullptr, "hidden_act is missing"},
      {"position_embedding_type", "relative_key", "only absolute positions"},
      {"is_decoder", true, "is_decoder is true; a teacher is an encoder"},
      {"is_decoder", 1, "use true or false"},
      {"add_cross_attention", true, "add_cross_attention is true"},
      {"hidden_size", nullptr, "hidden_size is null; a positive integer"},
      {"hidden_size", 0, "hidden_size is 0"},
      {"hidden_size", -16, "hidden_size is -16"},
      {"hidden_size", 16.5, "hidden_size is 16.5"},
      {"hidden_size", std::int64_t{1} << 40, "a positive integer is needed"},
      {"num_attention_heads", 3,
       "num_attention_heads is 3, which does not divide hidden_size 16"},
      {"num_hidden_layers", 2000, "num_hidden_layers is above 1000"},
      {"intermediate_size", "24", "intermediate_size is \"24\""},
      {"layer_norm_eps", 0, "layer_norm_eps is 0"},
      {"layer_norm_eps", nullptr, "layer_norm_eps is null"},
      {"vocab_size", 19, "vocab_size is less than the 20 pieces"},
      {"type_vocab_size", nullptr, "type_vocab_size is null"},
      {"max_position_embeddings", nullptr, "max_position_embeddings is null"}};
  for (const BadConfig& bad : table) {
    const TinyBertCopy copy;
    copy.SetConfig(bad.key, bad.value);
    ExpectError(ErrorCode::kUsage, bad.message,
                [&] { ReadBertCheckpoint(copy.path()); });
  }
  const TinyBertCopy copy;
  copy.SetConfig("num_hidden_layers", 1);
  ExpectIntegrity(copy, "encoder.layer.1.");
  copy.SetConfig("num_hidden_layers", 3);
  ExpectIntegrity(copy, "'encoder.layer.2.attention.self.query.weight' is");
  copy.Write("config.json", "[]");
  ExpectError(ErrorCode::kUsage, "is no JSON object",
              [&] { ReadBertCheckpoint(copy.path()); });
  copy.Write("config.json", "{");
  ExpectError(ErrorCode::kUsage, "not valid JSON",
              [&] { ReadBertCheckpoint(copy.path()); });
}

TEST(DamagedBert, AMissingFileIsNamed) {
  for (const char* file : {"config.json", "model.safetensors", "vocab.txt"}) {
    const TinyBertCopy copy;
    std::filesystem::remove(copy.path() / file);
    ExpectError(ErrorCode::kNotFound, std::string("no ") + file,
                [&] { ReadBertCheckpoint(copy.path()); });
  }
}

TEST(BertVocabulary, FollowsTheTokenizersSettings) {
  const TinyBertCopy copy;
  EXPECT_TRUE(BertVocabulary(copy.path()).fold_case);
  copy.Write("tokenizer_config.json",
             R"({"do_lower_case":false,"strip_accents":null})");
  EXPECT_FALSE(BertVocabulary(copy.path()).fold_case);
  for (const auto& [settings, message] :
       {std::pair{R"({"do_lower_case":false,"strip_accents":true})",
                  "strip_accents differs"},
        std::pair{R"({"tokenize_chinese_chars":false})",
                  "tokenize_chinese_chars is false"},
        std::pair{R"({"do_lower_case":"yes"})", "use true or false"}}) {
    copy.Write("tokenizer_config.json", settings);
    ExpectError(ErrorCode::kUsage, message,
                [&] { BertVocabulary(copy.path()); });
  }
}

TEST(BertMetadata, ReadsBackWhatItWrote) {
  const Bert bert = ReadBertCheckpoint(TinyBertFolder()).bert;
  auto metadata = BertToMetadata(bert);
  const std::optional<Bert> read = BertFromMetadata(metadata, "file");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->architecture, bert.architecture);
  EXPECT_EQ(read->norm_epsilon, bert.norm_epsilon);
  EXPECT_EQ(read->vocabulary, 20);
  EXPECT_EQ(read->places, 20);
  EXPECT_EQ(read->begin, 2);
  EXPECT_EQ(read->end, 3);
  EXPECT_FALSE(BertFromMetadata({}, "file"));
  metadata["bert"] = R"({"begin":1})";
  ExpectError(ErrorCode::kIntegrity, "file: its metadata describe no BERT",
              [&] { BertFromMetadata(metadata, "file"); });
}

TEST(BertFeatures, AreThoseOfEachTextAlone) {
  const BertCheckpoint checkpoint = ReadBertCheckpoint(TinyBertFolder());
  TaskData data;
  data.tokens = {{6, 7, 8}, {9}, {10, 11, 5}, {12, 13, 6, 6}, {7}};
  StoredWeights weights(checkpoint.weights, at::kCPU);
  BertEncoder encoder(weights, checkpoint.bert);
  for (const std::string pooling : {"mean", "cls", "pooler"}) {
    double last = 0;
    const at::Tensor features_ND =
        ToTensor(BertFeatures(checkpoint, pooling, data, 2,
                              [&](double done) {
                                EXPECT_GT(done, last);
                                last = done;
                              }),
                 at::kCPU);
    EXPECT_EQ(last, 1);
    for (std::size_t row = 0; row < data.size(); ++row) {
      const at::Tensor hidden_BTD =
          encoder.HiddenStates(at::tensor(data.tokens[row]).unsqueeze(0));
      const at::Tensor alone_D = pooling == "mean" ? hidden_BTD[0].mean(0)
                                 : pooling == "cls"
                                     ? hidden_BTD[0][0]
                                     : encoder.Pooled(hidden_BTD)[0];
      EXPECT_LT(features_ND[static_cast<std::int64_t>(row)]
                    .sub(alone_D)
                    .abs()
                    .max()
                    .item<double>(),
                1e-5);
    }
  }
}

TEST(BertFeatures, RefuseATextThatIsTooLong) {
  const BertCheckpoint checkpoint = ReadBertCheckpoint(TinyBertFolder());
  TaskData data;
  data.tokens = {std::vector<std::int64_t>(18, 6)};
  EXPECT_NO_THROW(BertFeatures(checkpoint, "mean", data, 2, [](double) {}));
  data.tokens.push_back(std::vector<std::int64_t>(19, 6));
  ExpectError(
      ErrorCode::kUsage,
      "a text of 19 tokens, [CLS] and [SEP] exceed the 20 positions of "
      "the teacher; use at most 18",
      [&] { BertFeatures(checkpoint, "mean", data, 2, [](double) {}); });
}

}  // namespace
}  // namespace hone
