#include <algorithm>

#include "space/architecture.h"
#include "space/base/error.h"
#include "space/base/hash.h"

namespace hone {
namespace {

[[noreturn]] void Refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kUsage, where + ": " + what);
}

const std::vector<std::string>& AttentionKinds() {
  static const std::vector<std::string> kinds = {
      "full", "local", "strided", "linformer", "performer", "linear"};
  return kinds;
}

// The members of a JSON object, each to be asked for once; what is left over at
// the end is unknown.
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string where)
      : json_(json), where_(std::move(where)) {
    if (!json_.is_object()) Refuse(where_, "an object is needed");
  }

  const Json& Get(const std::string& key) {
    asked_.push_back(key);
    if (!json_.contains(key)) Refuse(where_, "'" + key + "' is missing");
    return json_[key];
  }

  std::int64_t Count(const std::string& key) {
    const Json& value = Get(key);
    if (!value.is_number_integer() || value < 1 || value > (1 << 20)) {
      Refuse(where_ + "." + key, "a whole number from 1 to 1048576 is needed");
    }
    return value.get<std::int64_t>();
  }

  std::string Word(const std::string& key) {
    const Json& value = Get(key);
    if (!value.is_string()) Refuse(where_ + "." + key, "a word is needed");
    return value.get<std::string>();
  }

  const std::string& where() const { return where_; }

  void Finish() const {
    for (const auto& [key, value] : json_.items()) {
      if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
        Refuse(where_, "unknown key '" + key + "'" + DidYouMean(key, asked_));
      }
    }
  }

 private:
  const Json& json_;
  std::string where_;
  std::vector<std::string> asked_;
};

Json AttentionToJson(const FullAttention& full) {
  return {{"kind", "full"}, {"heads", full.heads}, {"kv_heads", full.kv_heads}};
}

Json AttentionToJson(const LocalAttention& local) {
  return {{"kind", "local"}, {"heads", local.heads}, {"window", local.window}};
}

Json AttentionToJson(const StridedAttention& strided) {
  return {{"kind", "strided"},
          {"heads", strided.heads},
          {"stride", strided.stride}};
}

Json AttentionToJson(const LinformerAttention& linformer) {
  return {{"kind", "linformer"},
          {"heads", linformer.heads},
          {"rank", linformer.rank},
          {"sharing", Name(linformer.sharing)}};
}

Json AttentionToJson(const PerformerAttention& performer) {
  return {{"kind", "performer"},
          {"heads", performer.heads},
          {"features", performer.features}};
}

Json AttentionToJson(const LinearAttention& linear) {
  return {{"kind", "linear"}, {"heads", linear.heads}};
}

// Adds the place to what the parser of a word says.
template <typename Enum>
Enum ReadEnum(ObjectReader& reader, const std::string& key) {
  const std::string word = reader.Word(key);
  try {
    return Parse<Enum>(word);
  } catch (const Error& error) {
    Refuse(reader.where() + "." + key, error.what());
  }
}

AttentionSpec AttentionFromJson(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  const std::string kind = reader.Word("kind");
  const std::int64_t heads = reader.Count("heads");
  AttentionSpec attention;
  if (kind == "full") {
    attention = FullAttention{heads, reader.Count("kv_heads")};
  } else if (kind == "local") {
    attention = LocalAttention{heads, reader.Count("window")};
  } else if (kind == "strided") {
    attention = StridedAttention{heads, reader.Count("stride")};
  } else if (kind == "linformer") {
    const std::int64_t rank = reader.Count("rank");
    attention = LinformerAttention{
        heads, rank, ReadEnum<LinformerSharing>(reader, "sharing")};
  } else if (kind == "performer") {
    attention = PerformerAttention{heads, reader.Count("features")};
  } else if (kind == "linear") {
    attention = LinearAttention{heads};
  } else {
    Refuse(where + ".kind", "unknown attention kind '" + kind + "'" +
                                DidYouMean(kind, AttentionKinds()));
  }
  reader.Finish();
  return attention;
}

CrossAttentionSpec CrossFromJson(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  const CrossAttentionSpec cross{reader.Count("heads"), reader.Count("layers")};
  reader.Finish();
  return cross;
}

Precision ReadPrecision(ObjectReader& reader, const std::string& key) {
  const std::string word = reader.Word(key);
  try {
    return ParsePrecision(word);
  } catch (const Error& error) {
    Refuse(reader.where() + "." + key, error.what());
  }
}

LinearPrecisions LinearsFromJson(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  LinearPrecisions linears;
  for (const auto& [key, value] : json.items()) {
    try {
      linears[Parse<LinearRole>(key)] = ReadPrecision(reader, key);
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with(where)) throw;
      Refuse(where, what);
    }
  }
  return linears;
}

BlockSpec BlockFromJson(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  BlockSpec block;
  block.attention =
      AttentionFromJson(reader.Get("attention"), where + ".attention");
  ObjectReader feed_forward(reader.Get("feed_forward"),
                            where + ".feed_forward");
  block.feed_forward.width = feed_forward.Count("width");
  block.feed_forward.activation =
      ReadEnum<Activation>(feed_forward, "activation");
  feed_forward.Finish();
  block.precision = ReadPrecision(reader, "precision");
  if (json.contains("cross")) {
    block.cross = CrossFromJson(reader.Get("cross"), where + ".cross");
  }
  if (json.contains("head_dim")) block.head_dim = reader.Count("head_dim");
  if (json.contains("rank")) block.rank = reader.Count("rank");
  if (json.contains("linears")) {
    block.linears = LinearsFromJson(reader.Get("linears"), where + ".linears");
  }
  if (json.contains("attention_products")) {
    block.products = ReadEnum<AttentionProducts>(reader, "attention_products");
  }
  reader.Finish();
  return block;
}

std::vector<BlockSpec> BlocksFromJson(const Json& json,
                                      const std::string& where) {
  if (!json.is_array()) Refuse(where, "a list of blocks is needed");
  std::vector<BlockSpec> blocks;
  for (std::size_t i = 0; i < json.size(); ++i) {
    blocks.push_back(
        BlockFromJson(json[i], where + "[" + std::to_string(i) + "]"));
  }
  return blocks;
}

Json BlocksToJson(const std::vector<BlockSpec>& blocks) {
  Json list = Json::array();
  for (const BlockSpec& block : blocks) {
    Json json = {
        {"attention",
         std::visit([](const auto& kind) { return AttentionToJson(kind); },
                    block.attention)},
        {"feed_forward",
         {{"width", block.feed_forward.width},
          {"activation", Name(block.feed_forward.activation)}}},
        {"precision", Name(block.precision)}};
    if (block.cross) {
      json["cross"] = {{"heads", block.cross->heads},
                       {"layers", block.cross->layers}};
    }
    if (block.head_dim > 0) json["head_dim"] = block.head_dim;
    if (block.rank > 0) json["rank"] = block.rank;
    for (const auto& [role, precision] : block.linears) {
      json["linears"][Name(role)] = Name(precision);
    }
    if (block.products != AttentionProducts::kF32) {
      json["attention_products"] = Name(block.products);
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json StemToJson(const StemSpec& stem) {
  Json json = {{"d_model", stem.d_model},
               {"positions", Name(stem.positions)},
               {"norm", Name(stem.norm)},
               {"norm_place", Name(stem.norm_place)},
               {"output", Name(stem.output)}};
  if (!stem.embedding.IsFloat()) json["embedding"] = Name(stem.embedding);
  if (stem.embedding_rank > 0) json["embedding_rank"] = stem.embedding_rank;
  if (stem.compute != Compute::kF32) json["compute"] = Name(stem.compute);
  return json;
}

StemSpec StemFromJson(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  StemSpec stem;
  stem.d_model = reader.Count("d_model");
  stem.positions = ReadEnum<Positions>(reader, "positions");
  stem.norm = ReadEnum<Norm>(reader, "norm");
  stem.norm_place = ReadEnum<NormPlace>(reader, "norm_place");
  stem.output = ReadEnum<OutputEmbedding>(reader, "output");
  if (json.contains("embedding")) {
    stem.embedding = ReadPrecision(reader, "embedding");
  }
  if (json.contains("embedding_rank")) {
    stem.embedding_rank = reader.Count("embedding_rank");
  }
  if (json.contains("compute")) {
    stem.compute = ReadEnum<Compute>(reader, "compute");
  }
  reader.Finish();
  return stem;
}

}  // namespace

Json ToJson(const Architecture& architecture) {
  return {{"stem", StemToJson(architecture.stem)},
          {"encoder", BlocksToJson(architecture.encoder)},
          {"decoder", BlocksToJson(architecture.decoder)}};
}

Architecture ArchitectureFromJson(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  Architecture architecture;
  architecture.stem = StemFromJson(reader.Get("stem"), where + ".stem");
  architecture.encoder =
      BlocksFromJson(reader.Get("encoder"), where + ".encoder");
  architecture.decoder =
      BlocksFromJson(reader.Get("decoder"), where + ".decoder");
  reader.Finish();
  CheckArchitecture(architecture, where);
  return architecture;
}

std::string CanonicalText(const Architecture& architecture) {
  return CanonicalJson(ToJson(architecture));
}

std::string ArchitectureHash(const Architecture& architecture) {
  return Sha256(CanonicalText(architecture));
}

}  // namespace hone
