#include "train/distill/bert.h"

#include <algorithm>
#include <cmath>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/json.h"
#include "train/data/wordpiece.h"

namespace hone {
namespace {

constexpr char kConfigFile[] = "config.json";
constexpr char kWeightsFile[] = "model.safetensors";
constexpr char kVocabularyFile[] = "vocab.txt";
constexpr char kTokenizerFile[] = "tokenizer_config.json";
constexpr char kMetadataKey[] = "bert";
// Of other tasks, and a table that only counts.
constexpr const char* kLeftOut[] = {"cls.", "classifier.", "qa_outputs.",
                                    "embeddings.position_ids"};
constexpr std::int64_t kLargestSize = 1 << 24;

// config.json, or tokenizer_config.json: one object.
class Config {
 public:
  explicit Config(const std::filesystem::path& path)
      : where_(path.string()), json_(ParseJson(ReadFile(path), where_)) {
    if (!json_.is_object()) Refuse("is no JSON object");
  }

  [[noreturn]] void Refuse(const std::string& what) const {
    throw Error(ErrorCode::kUsage, where_ + ": " + what);
  }

  std::int64_t Size(const char* key) const {
    const Json value = json_.value(key, Json());
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > kLargestSize) {
      Refuse(std::string(key) + " is " + value.dump() +
             "; a positive integer is needed");
    }
    return value.get<std::int64_t>();
  }

  double Epsilon(const char* key) const {
    const Json value = json_.value(key, Json());
    if (!value.is_number() || !(value.get<double>() > 0) ||
        value.get<double>() > 1) {
      Refuse(std::string(key) + " is " + value.dump() +
             "; a small positive number is needed");
    }
    return value.get<double>();
  }

  // The value of a key, which must be one of `known`; the first of them where
  // the key is missing or null.
  std::string Word(const char* key, const std::vector<std::string>& known,
                   const std::string& why) const {
    const Json value = json_.value(key, Json());
    if (value.is_null()) return known.front();
    const auto found = std::find(known.begin(), known.end(), value);
    if (found != known.end()) return *found;
    Refuse(std::string(key) + " is " + value.dump() + "; " + why);
  }

  bool Flag(const char* key, bool otherwise) const {
    const Json value = json_.value(key, Json());
    if (value.is_null()) return otherwise;
    if (!value.is_boolean()) {
      Refuse(std::string(key) + " is " + value.dump() + "; use true or false");
    }
    return value.get<bool>();
  }

  bool Has(const char* key) const { return json_.contains(key); }

 private:
  std::string where_;
  Json json_;
};

Architecture ReadArchitecture(const Config& config) {
  if (!config.Has("model_type")) config.Refuse("model_type is missing");
  config.Word("model_type", {"bert"},
              "only a BERT can be a teacher; other families, RoBERTa, ALBERT "
              "and DistilBERT among them, compute something else");
  config.Word("position_embedding_type", {"absolute"},
              "only absolute positions are known");
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    if (config.Flag(key, false)) {
      config.Refuse(std::string(key) + " is true; a teacher is an encoder");
    }
  }
  if (!config.Has("hidden_act")) config.Refuse("hidden_act is missing");
  const std::string activation =
      config.Word("hidden_act", {"gelu", "relu"},
                  "known are gelu, by the error function, and relu");
  Architecture architecture;
  architecture.stem.d_model = config.Size("hidden_size");
  architecture.stem.norm_place = NormPlace::kPost;
  const std::int64_t layers = config.Size("num_hidden_layers");
  if (layers > 1000) config.Refuse("num_hidden_layers is above 1000");
  const std::int64_t heads = config.Size("num_attention_heads");
  if (architecture.stem.d_model % heads != 0) {
    config.Refuse("num_attention_heads is " + std::to_string(heads) +
                  ", which does not divide hidden_size " +
                  std::to_string(architecture.stem.d_model));
  }
  const BlockSpec block{
      MultiHead(heads),
      {config.Size("intermediate_size"), Parse<Activation>(activation)}};
  architecture.encoder.assign(static_cast<std::size_t>(layers), block);
  return architecture;
}

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) {
    text += (text.empty() ? "" : ",") + std::to_string(extent);
  }
  return "[" + text + "]";
}

// Tensors by their names in the checkpoint, each asked for once.
class BertTensors {
 public:
  explicit BertTensors(const std::filesystem::path& path)
      : where_(path.string()), tensors_(ReadSafeTensors(path).tensors) {
    const bool prefixed = std::any_of(
        tensors_.begin(), tensors_.end(),
        [](const auto& entry) { return entry.first.starts_with("bert."); });
    if (prefixed) prefix_ = "bert.";
  }

  bool Has(const std::string& name) const {
    return tensors_.contains(prefix_ + name);
  }

  TensorData Take(const std::string& name,
                  const std::vector<std::int64_t>& shape) {
    const auto found = tensors_.find(prefix_ + name);
    if (found == tensors_.end()) {
      Refuse("the tensor '" + prefix_ + name + "' is missing");
    }
    TensorData tensor = std::move(found->second);
    tensors_.erase(found);
    if (tensor.dtype != DType::kF32) {
      Refuse("the tensor '" + prefix_ + name +
             "' holds integers; f32, f16 or bf16 is needed");
    }
    if (tensor.shape != shape) {
      Refuse("the tensor '" + prefix_ + name + "' is " +
             ShapeText(tensor.shape) + "; config.json says " +
             ShapeText(shape));
    }
    const float* values = tensor.data<float>();
    const float* const end = values + tensor.elements();
    if (!std::all_of(values, end, [](float v) { return std::isfinite(v); })) {
      Refuse("the tensor '" + prefix_ + name + "' holds NaN or infinity");
    }
    return tensor;
  }

  // NAME.weight and NAME.bias of a linear layer.
  void TakeLinear(const std::string& name, std::int64_t out, std::int64_t in,
                  const std::string& ours, NamedTensors& weights) {
    weights[ours + ".weight"] = Take(name + ".weight", {out, in});
    weights[ours + ".bias"] = Take(name + ".bias", {out});
  }

  // The names of a norm's weights were once those of Ioffe & Szegedy 2015.
  void TakeNorm(const std::string& name, std::int64_t size,
                const std::string& ours, NamedTensors& weights) {
    const bool old = Has(name + ".gamma");
    weights[ours + ".weight"] =
        Take(name + (old ? ".gamma" : ".weight"), {size});
    weights[ours + ".bias"] = Take(name + (old ? ".beta" : ".bias"), {size});
  }

  void CheckAllTaken() const {
    for (const auto& [name, tensor] : tensors_) {
      const bool left_out = std::any_of(
          std::begin(kLeftOut), std::end(kLeftOut), [&](const char* start) {
            return name.starts_with(start) || name.starts_with(prefix_ + start);
          });
      if (!left_out) {
        Refuse("the tensor '" + name + "' is none of a BERT's");
      }
    }
  }

 private:
  [[noreturn]] void Refuse(const std::string& what) const {
    throw Error(ErrorCode::kIntegrity, where_ + ": " + what);
  }

  std::string where_;
  std::string prefix_;
  NamedTensors tensors_;
};

// The tables, that of words with as many rows as there are pieces.
void TakeTables(BertTensors& tensors, const Config& config, const Bert& bert,
                NamedTensors& weights) {
  const std::int64_t d_model = bert.architecture.stem.d_model;
  TensorData words = tensors.Take("embeddings.word_embeddings.weight",
                                  {config.Size("vocab_size"), d_model});
  words.shape[0] = bert.vocabulary;
  words.bytes.resize(static_cast<std::size_t>(words.elements()) *
                     sizeof(float));
  weights["embedding.weight"] = std::move(words);
  TensorData places = tensors.Take("embeddings.position_embeddings.weight",
                                   {bert.places, d_model});
  const TensorData types =
      tensors.Take("embeddings.token_type_embeddings.weight",
                   {config.Size("type_vocab_size"), d_model});
  for (std::int64_t i = 0; i < places.elements(); ++i) {
    places.data<float>()[i] += types.data<float>()[i % d_model];
  }
  weights["position.weight"] = std::move(places);
  tensors.TakeNorm("embeddings.LayerNorm", d_model, "embedding_norm", weights);
}

void TakeBlock(BertTensors& tensors, std::size_t i, std::int64_t d_model,
               std::int64_t width, NamedTensors& weights) {
  const std::string theirs = "encoder.layer." + std::to_string(i);
  const std::string ours = "encoder." + std::to_string(i);
  for (const std::string role : {"query", "key", "value"}) {
    tensors.TakeLinear(theirs + ".attention.self." + role, d_model, d_model,
                       ours + ".attention." + role, weights);
  }
  tensors.TakeLinear(theirs + ".attention.output.dense", d_model, d_model,
                     ours + ".attention.output", weights);
  tensors.TakeNorm(theirs + ".attention.output.LayerNorm", d_model,
                   ours + ".attention_norm", weights);
  tensors.TakeLinear(theirs + ".intermediate.dense", width, d_model,
                     ours + ".feed_forward.up", weights);
  tensors.TakeLinear(theirs + ".output.dense", d_model, width,
                     ours + ".feed_forward.down", weights);
  tensors.TakeNorm(theirs + ".output.LayerNorm", d_model,
                   ours + ".feed_forward_norm", weights);
}

void CheckFolder(const std::filesystem::path& folder) {
  for (const char* file : {kConfigFile, kWeightsFile, kVocabularyFile}) {
    if (std::filesystem::is_regular_file(folder / file)) continue;
    throw Error(ErrorCode::kNotFound,
                folder.string() + ": no " + file +
                    "; a BERT checkpoint is a folder with config.json, "
                    "model.safetensors and vocab.txt");
  }
}

}  // namespace

BertCheckpoint ReadBertCheckpoint(const std::filesystem::path& folder) {
  CheckFolder(folder);
  const Config config(folder / kConfigFile);
  BertCheckpoint checkpoint;
  Bert& bert = checkpoint.bert;
  bert.architecture = ReadArchitecture(config);
  bert.norm_epsilon = config.Epsilon("layer_norm_eps");
  const std::string vocabulary = (folder / kVocabularyFile).string();
  const WordPiece pieces(ReadWordPieces(vocabulary), false, vocabulary);
  bert.vocabulary = static_cast<std::int64_t>(pieces.pieces().size());
  bert.places = config.Size("max_position_embeddings");
  bert.begin = pieces.begin();
  bert.end = pieces.end();
  if (bert.vocabulary > config.Size("vocab_size")) {
    config.Refuse("vocab_size is less than the " +
                  std::to_string(bert.vocabulary) + " pieces of vocab.txt");
  }
  BertTensors tensors(folder / kWeightsFile);
  const std::int64_t d_model = bert.architecture.stem.d_model;
  TakeTables(tensors, config, bert, checkpoint.weights);
  for (std::size_t i = 0; i < bert.architecture.encoder.size(); ++i) {
    TakeBlock(tensors, i, d_model,
              bert.architecture.encoder[i].feed_forward.width,
              checkpoint.weights);
  }
  if (tensors.Has("pooler.dense.weight")) {
    tensors.TakeLinear("pooler.dense", d_model, d_model, "pooler",
                       checkpoint.weights);
  }
  tensors.CheckAllTaken();
  return checkpoint;
}

TaskOptions BertVocabulary(const std::filesystem::path& folder) {
  TaskOptions options;
  options.vocabulary = "wordpiece";
  options.vocabulary_file = (folder / kVocabularyFile).string();
  options.fold_case = true;
  if (!std::filesystem::exists(folder / kTokenizerFile)) return options;
  const Config config(folder / kTokenizerFile);
  options.fold_case = config.Flag("do_lower_case", true);
  if (config.Flag("strip_accents", options.fold_case) != options.fold_case) {
    config.Refuse(
        "strip_accents differs from do_lower_case, which word pieces cannot "
        "follow");
  }
  if (!config.Flag("tokenize_chinese_chars", true)) {
    config.Refuse(
        "tokenize_chinese_chars is false; word pieces set them apart");
  }
  return options;
}

std::map<std::string, std::string> BertToMetadata(const Bert& bert) {
  return {
      {kMetadataKey, CanonicalJson({{"architecture", ToJson(bert.architecture)},
                                    {"begin", bert.begin},
                                    {"end", bert.end},
                                    {"norm_epsilon", bert.norm_epsilon},
                                    {"places", bert.places},
                                    {"vocabulary", bert.vocabulary}})}};
}

std::optional<Bert> BertFromMetadata(
    const std::map<std::string, std::string>& metadata,
    const std::string& where) {
  const auto found = metadata.find(kMetadataKey);
  if (found == metadata.end()) return std::nullopt;
  try {
    const Json json = ParseJson(found->second, where);
    Bert bert;
    bert.architecture = ArchitectureFromJson(json.at("architecture"), where);
    json.at("begin").get_to(bert.begin);
    json.at("end").get_to(bert.end);
    json.at("norm_epsilon").get_to(bert.norm_epsilon);
    json.at("places").get_to(bert.places);
    json.at("vocabulary").get_to(bert.vocabulary);
    return bert;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kIntegrity,
                where + ": its metadata describe no BERT: " + error.what());
  }
}

}  // namespace hone
