#include "space/architecture.h"

#include <algorithm>
#include <charconv>

#include "space/base/error.h"
#include "space/block_layers.h"

namespace hone {
namespace {

[[noreturn]] void Refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kUsage, where + ": " + what);
}

void CheckDivides(std::int64_t divisor, std::int64_t size,
                  const std::string& size_name, const std::string& where) {
  if (size % divisor == 0) return;
  Refuse(where, std::to_string(divisor) + " does not divide " + size_name +
                    " " + std::to_string(size));
}

void CheckPrecisions(const BlockSpec& block, const std::string& where) {
  const std::vector<LinearRole> roles = LinearRolesOf(block);
  for (const auto& [role, precision] : block.linears) {
    if (std::find(roles.begin(), roles.end(), role) == roles.end()) {
      Refuse(where + ".linears",
             "the block has no layer '" + Name(role) + "'; leave it out");
    }
  }
  BlockSpec canonical = block;
  SetPrecisions(PrecisionsOf(block), canonical);
  if (canonical != block) {
    Refuse(where + ".linears",
           "the precision that most layers have is the block's, and only "
           "others stand here: '" +
               PrecisionText(canonical) + "', not '" + PrecisionText(block) +
               "'");
  }
}

void CheckBlock(const Architecture& architecture, const BlockSpec& block,
                const std::string& where) {
  const std::int64_t d_model = architecture.stem.d_model;
  const std::int64_t heads = Heads(block.attention);
  if (block.head_dim == 0) {
    CheckDivides(heads, d_model, "d_model", where + ".attention.heads");
  }
  if (const auto* full = std::get_if<FullAttention>(&block.attention)) {
    CheckDivides(full->kv_heads, heads, "heads", where + ".attention.kv_heads");
  }
  if (architecture.stem.positions == Positions::kRotary &&
      HeadDim(architecture.stem, block) % 2 != 0) {
    Refuse(where + ".attention.heads",
           "rotary positions turn pairs, and a head has " +
               std::to_string(HeadDim(architecture.stem, block)) +
               " dimensions; use fewer heads or other positions");
  }
  if (block.cross) {
    CheckDivides(block.cross->heads, d_model, "d_model",
                 where + ".cross.heads");
  }
  CheckPrecisions(block, where);
  if (block.products != AttentionProducts::kF32 &&
      !CanMultiplyInA8(block.attention)) {
    Refuse(where + ".attention_products",
           AttentionName(block.attention) +
               " attention has no products of queries with keys in a8; use "
               "full or local, or f32 products");
  }
}

void CheckStem(const StemSpec& stem, const std::string& where) {
  if (!IsForTables(stem.embedding)) {
    Refuse(where + ".embedding", Name(stem.embedding) +
                                     " is not for tables; use one of " +
                                     kTablePrecisionWords);
  }
  if (stem.embedding_rank < 0 ||
      (stem.embedding_rank > 0 && stem.embedding_rank >= stem.d_model)) {
    Refuse(where + ".embedding_rank",
           std::to_string(stem.embedding_rank) + " is not below d_model " +
               std::to_string(stem.d_model) + "; use fewer, or 0");
  }
}

void CheckDecoderBlock(const Architecture& architecture, const BlockSpec& block,
                       const std::string& where) {
  if (!CanBeCausal(block.attention)) {
    Refuse(where + ".attention",
           AttentionName(block.attention) +
               " mixes later tokens into earlier ones, so a decoder cannot use "
               "it; use full, local, strided, performer or linear");
  }
  if (block.cross.has_value() == architecture.encoder.empty()) {
    Refuse(where + ".cross",
           architecture.encoder.empty()
               ? "there is no encoder to attend to"
               : "missing; a decoder behind an encoder needs it");
  }
  if (block.cross && block.cross->layers > static_cast<std::int64_t>(
                                               architecture.encoder.size())) {
    Refuse(where + ".cross.layers",
           std::to_string(block.cross->layers) + " of " +
               std::to_string(architecture.encoder.size()) +
               " encoder blocks; use at most as many as there are");
  }
}

template <typename Enum>
std::string IfNot(Enum value, Enum usual) {
  return value == usual ? "" : Name(value) + " ";
}

// "table r32 w4:row ", or nothing.
std::string TableText(const StemSpec& stem) {
  std::string text;
  if (stem.embedding_rank > 0) {
    text += "r" + std::to_string(stem.embedding_rank) + " ";
  }
  if (!stem.embedding.IsFloat()) text += Name(stem.embedding) + " ";
  return text.empty() ? text : "table " + text;
}

std::string BlockText(const BlockSpec& block) {
  std::string text = "h" + std::to_string(Heads(block.attention)) + " f" +
                     std::to_string(block.feed_forward.width) + " " +
                     IfNot(block.feed_forward.activation, Activation::kGelu) +
                     AttentionName(block.attention) + " ";
  if (block.cross) {
    text += "x" + std::to_string(block.cross->heads) + ":" +
            std::to_string(block.cross->layers) + " ";
  }
  if (block.head_dim > 0) text += "e" + std::to_string(block.head_dim) + " ";
  if (block.rank > 0) text += "r" + std::to_string(block.rank) + " ";
  if (block.products != AttentionProducts::kF32) {
    text += "products=" + Name(block.products) + " ";
  }
  return text + PrecisionText(block);
}

std::string BlocksText(const std::vector<BlockSpec>& blocks) {
  std::string text = "[";
  for (std::size_t i = 0; i < blocks.size();) {
    std::size_t end = i;
    while (end < blocks.size() && blocks[end] == blocks[i]) ++end;
    if (i > 0) text += " | ";
    text += BlockText(blocks[i]);
    if (end - i > 1) text += " x" + std::to_string(end - i);
    i = end;
  }
  return text + "]";
}

// The whole number of at least 1 behind a colon.
std::int64_t ParseCount(const std::string& word, const std::string& digits,
                        const std::string& what) {
  std::int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, value);
  if (parsed.ec == std::errc() && parsed.ptr == end && value >= 1 &&
      value <= (1 << 20)) {
    return value;
  }
  throw Error(ErrorCode::kUsage, "'" + word + "': " + what +
                                     " of at least 1 is needed, such as " +
                                     word.substr(0, word.find(':')) + ":8");
}

}  // namespace

template <>
const std::vector<std::string>& NamesOf<Positions>() {
  static const std::vector<std::string> names = {"learned", "sinusoidal",
                                                 "rotary", "none"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<Norm>() {
  static const std::vector<std::string> names = {"layer", "rms"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<NormPlace>() {
  static const std::vector<std::string> names = {"pre", "post"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<Activation>() {
  static const std::vector<std::string> names = {"gelu", "relu", "swiglu"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<OutputEmbedding>() {
  static const std::vector<std::string> names = {"tied", "untied"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<Topology>() {
  static const std::vector<std::string> names = {"encoder", "decoder",
                                                 "encoder-decoder"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<LinformerSharing>() {
  static const std::vector<std::string> names = {"headwise", "key-value",
                                                 "layerwise"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<LinearRole>() {
  static const std::vector<std::string> names = {
      "attention.query",   "attention.key",    "attention.value",
      "attention.output",  "cross.query",      "cross.key",
      "cross.value",       "cross.output",     "feed_forward.up",
      "feed_forward.gate", "feed_forward.down"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<AttentionProducts>() {
  static const std::vector<std::string> names = {"f32", "a8"};
  return names;
}

template <>
const std::vector<std::string>& NamesOf<Compute>() {
  static const std::vector<std::string> names = {"f32", "bf16"};
  return names;
}

template <typename Enum>
Enum Parse(std::string_view name) {
  const std::vector<std::string>& names = NamesOf<Enum>();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw Error(ErrorCode::kUsage, "unknown word '" + std::string(name) + "'" +
                                       DidYouMean(name, names));
  }
  return static_cast<Enum>(found - names.begin());
}
template Positions Parse(std::string_view name);
template Norm Parse(std::string_view name);
template NormPlace Parse(std::string_view name);
template Activation Parse(std::string_view name);
template OutputEmbedding Parse(std::string_view name);
template LinformerSharing Parse(std::string_view name);
template LinearRole Parse(std::string_view name);
template AttentionProducts Parse(std::string_view name);
template Compute Parse(std::string_view name);

std::int64_t Heads(const AttentionSpec& attention) {
  return std::visit([](const auto& kind) { return kind.heads; }, attention);
}

std::int64_t KeyValueHeads(const AttentionSpec& attention) {
  const auto* full = std::get_if<FullAttention>(&attention);
  return full ? full->kv_heads : Heads(attention);
}

bool CanMultiplyInA8(const AttentionSpec& attention) {
  return std::holds_alternative<FullAttention>(attention) ||
         std::holds_alternative<LocalAttention>(attention);
}

bool CanBeCausal(const AttentionSpec& attention) {
  return !std::holds_alternative<LinformerAttention>(attention);
}

namespace {

std::string NameOf(const FullAttention& full) {
  return full.kv_heads == full.heads ? "full"
                                     : "full:" + std::to_string(full.kv_heads);
}
std::string NameOf(const LocalAttention& local) {
  return "local:" + std::to_string(local.window);
}
std::string NameOf(const StridedAttention& strided) {
  return "strided:" + std::to_string(strided.stride);
}
std::string NameOf(const LinformerAttention& linformer) {
  const bool usual = linformer.sharing == LinformerSharing::kHeadwise;
  return "linformer:" + std::to_string(linformer.rank) +
         (usual ? "" : ":" + Name(linformer.sharing));
}
std::string NameOf(const PerformerAttention& performer) {
  return "performer:" + std::to_string(performer.features);
}
std::string NameOf(const LinearAttention&) { return "linear"; }

}  // namespace

std::string AttentionName(const AttentionSpec& attention) {
  return std::visit([](const auto& kind) { return NameOf(kind); }, attention);
}

AttentionSpec ParseAttention(const std::string& word) {
  const std::size_t colon = word.find(':');
  const std::string kind = word.substr(0, colon);
  const std::string rest =
      colon == std::string::npos ? "" : word.substr(colon + 1);
  const auto count = [&](const char* what) {
    return ParseCount(word, rest, what);
  };
  if (word == "full") return FullAttention{0, 0};
  if (kind == "full") return FullAttention{0, count("key/value heads")};
  if (kind == "local") return LocalAttention{0, count("a window")};
  if (kind == "strided") return StridedAttention{0, count("a stride")};
  if (kind == "performer") return PerformerAttention{0, count("features")};
  if (word == "linear") return LinearAttention{0};
  if (kind == "linformer") {
    const std::size_t second = rest.find(':');
    const std::int64_t rank =
        ParseCount(word, rest.substr(0, second), "a rank");
    if (second == std::string::npos) return LinformerAttention{0, rank};
    return LinformerAttention{0, rank,
                              Parse<LinformerSharing>(rest.substr(second + 1))};
  }
  throw Error(ErrorCode::kUsage,
              "unknown attention kind '" + word +
                  "'; use full, full:KV_HEADS, local:WINDOW, strided:STRIDE, "
                  "linformer:RANK, performer:FEATURES or linear, such as "
                  "local:8");
}

std::optional<AttentionSpec> WithHeads(AttentionSpec kind, std::int64_t heads) {
  if (auto* full = std::get_if<FullAttention>(&kind)) {
    const bool all = full->kv_heads == 0 || full->kv_heads == full->heads;
    if (all) full->kv_heads = heads;
    if (heads % full->kv_heads != 0) return std::nullopt;
  }
  std::visit([&](auto& attention) { attention.heads = heads; }, kind);
  return kind;
}

Topology TopologyOf(const Architecture& architecture) {
  if (architecture.decoder.empty()) return Topology::kEncoder;
  return architecture.encoder.empty() ? Topology::kDecoder
                                      : Topology::kEncoderDecoder;
}

std::int64_t HeadDim(const StemSpec& stem, const BlockSpec& block) {
  return block.head_dim > 0 ? block.head_dim
                            : stem.d_model / Heads(block.attention);
}

bool IsFactored(std::int64_t rank, std::int64_t in, std::int64_t out) {
  return rank > 0 && rank * (in + out) < in * out;
}

std::vector<BlockSpec> AllBlocks(const Architecture& architecture) {
  std::vector<BlockSpec> blocks = architecture.encoder;
  blocks.insert(blocks.end(), architecture.decoder.begin(),
                architecture.decoder.end());
  return blocks;
}

void CheckArchitecture(const Architecture& architecture,
                       const std::string& where) {
  if (architecture.encoder.empty() && architecture.decoder.empty()) {
    Refuse(where, "at least one block is needed in encoder or decoder");
  }
  CheckStem(architecture.stem, where + ".stem");
  for (std::size_t i = 0; i < architecture.encoder.size(); ++i) {
    const std::string at = where + ".encoder[" + std::to_string(i) + "]";
    CheckBlock(architecture, architecture.encoder[i], at);
    if (architecture.encoder[i].cross) {
      Refuse(at + ".cross", "only decoder blocks attend to an encoder");
    }
  }
  for (std::size_t i = 0; i < architecture.decoder.size(); ++i) {
    const std::string at = where + ".decoder[" + std::to_string(i) + "]";
    CheckBlock(architecture, architecture.decoder[i], at);
    CheckDecoderBlock(architecture, architecture.decoder[i], at);
  }
}

Architecture WithoutPrecision(Architecture architecture) {
  architecture.stem.embedding = Precision::kF32;
  architecture.stem.compute = Compute::kF32;
  architecture = WithPrecision(std::move(architecture), Precision::kF32);
  for (auto* blocks : {&architecture.encoder, &architecture.decoder}) {
    for (BlockSpec& block : *blocks) block.products = AttentionProducts::kF32;
  }
  return architecture;
}

std::string ShortText(const Architecture& architecture) {
  const StemSpec& stem = architecture.stem;
  const StemSpec usual;
  std::string text = "d" + std::to_string(stem.d_model) + " " +
                     IfNot(stem.positions, usual.positions) +
                     IfNot(stem.norm, usual.norm) +
                     IfNot(stem.norm_place, usual.norm_place) +
                     IfNot(stem.output, usual.output) +
                     IfNot(stem.compute, usual.compute) + TableText(stem) + "L";
  std::string lists;
  for (const auto* blocks : {&architecture.encoder, &architecture.decoder}) {
    if (blocks->empty()) continue;
    text += (lists.empty() ? "" : "+") + std::to_string(blocks->size());
    lists += (lists.empty() ? "" : " ") + BlocksText(*blocks);
  }
  return text + " " + lists;
}

}  // namespace hone
