#include "space/architecture.h"

#include <algorithm>

#include "space/base/error.h"
#include "space/base/hash.h"

namespace hone {
namespace {

[[noreturn]] void Refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kUsage, where + ": " + what);
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
  return {{"kind", "full"}, {"heads", full.heads}};
}

Json AttentionToJson(const LocalAttention& local) {
  return {{"kind", "local"}, {"heads", local.heads}, {"window", local.window}};
}

AttentionSpec AttentionFromJson(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  const std::string kind = reader.Word("kind");
  AttentionSpec attention;
  if (kind == "full") {
    attention = FullAttention{reader.Count("heads")};
  } else if (kind == "local") {
    attention = LocalAttention{reader.Count("heads"), reader.Count("window")};
  } else {
    Refuse(where + ".kind", "unknown attention kind '" + kind + "'" +
                                DidYouMean(kind, {"full", "local"}));
  }
  reader.Finish();
  return attention;
}

BlockSpec BlockFromJson(const Json& json, const std::string& where,
                        std::int64_t d_model) {
  ObjectReader reader(json, where);
  BlockSpec block;
  block.attention =
      AttentionFromJson(reader.Get("attention"), where + ".attention");
  ObjectReader feed_forward(reader.Get("feed_forward"),
                            where + ".feed_forward");
  block.feed_forward.width = feed_forward.Count("width");
  feed_forward.Finish();
  block.precision = ParsePrecision(reader.Word("precision"));
  reader.Finish();
  if (d_model % Heads(block.attention) != 0) {
    Refuse(where + ".attention.heads", std::to_string(Heads(block.attention)) +
                                           " does not divide d_model " +
                                           std::to_string(d_model));
  }
  return block;
}

}  // namespace

std::string_view Name(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return "f32";
    case Precision::kW8A8:
      return "w8a8";
    case Precision::kW4:
      return "w4";
  }
  return "";
}

const std::vector<std::string>& PrecisionNames() {
  static const std::vector<std::string> names = {"f32", "w8a8", "w4"};
  return names;
}

Precision ParsePrecision(std::string_view name) {
  for (const Precision precision :
       {Precision::kF32, Precision::kW8A8, Precision::kW4}) {
    if (Name(precision) == name) return precision;
  }
  throw Error(ErrorCode::kUsage, "unknown precision '" + std::string(name) +
                                     "'" + DidYouMean(name, PrecisionNames()));
}

std::int64_t Heads(const AttentionSpec& attention) {
  return std::visit([](const auto& kind) { return kind.heads; }, attention);
}

std::string AttentionName(const AttentionSpec& attention) {
  if (const auto* local = std::get_if<LocalAttention>(&attention)) {
    return "local:" + std::to_string(local->window);
  }
  return "full";
}

Json ToJson(const Architecture& architecture) {
  Json blocks = Json::array();
  for (const BlockSpec& block : architecture.blocks) {
    blocks.push_back(
        {{"attention",
          std::visit([](const auto& kind) { return AttentionToJson(kind); },
                     block.attention)},
         {"feed_forward", {{"width", block.feed_forward.width}}},
         {"precision", Name(block.precision)}});
  }
  return {{"stem", {{"d_model", architecture.stem.d_model}}},
          {"blocks", std::move(blocks)}};
}

Architecture ArchitectureFromJson(const Json& json, const std::string& where) {
  ObjectReader reader(json, where);
  Architecture architecture;
  ObjectReader stem(reader.Get("stem"), where + ".stem");
  architecture.stem.d_model = stem.Count("d_model");
  stem.Finish();
  const Json& blocks = reader.Get("blocks");
  if (!blocks.is_array() || blocks.empty()) {
    Refuse(where + ".blocks", "a list of at least one block is needed");
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    architecture.blocks.push_back(
        BlockFromJson(blocks[i], where + ".blocks[" + std::to_string(i) + "]",
                      architecture.stem.d_model));
  }
  reader.Finish();
  return architecture;
}

std::string CanonicalText(const Architecture& architecture) {
  return CanonicalJson(ToJson(architecture));
}

Architecture WithoutPrecision(Architecture architecture) {
  for (BlockSpec& block : architecture.blocks) {
    block.precision = Precision::kF32;
  }
  return architecture;
}

std::string ArchitectureHash(const Architecture& architecture) {
  return Sha256(CanonicalText(architecture));
}

std::string ShortText(const Architecture& architecture) {
  std::string text = "d" + std::to_string(architecture.stem.d_model) + " L" +
                     std::to_string(architecture.blocks.size()) + " [";
  for (std::size_t i = 0; i < architecture.blocks.size();) {
    const BlockSpec& block = architecture.blocks[i];
    std::size_t end = i;
    while (end < architecture.blocks.size() &&
           architecture.blocks[end] == block) {
      ++end;
    }
    if (i > 0) text += " | ";
    text += "h" + std::to_string(Heads(block.attention)) + " f" +
            std::to_string(block.feed_forward.width) + " " +
            AttentionName(block.attention) + " " +
            std::string(Name(block.precision));
    if (end - i > 1) text += " x" + std::to_string(end - i);
    i = end;
  }
  return text + "]";
}

}  // namespace hone
