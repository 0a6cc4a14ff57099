#include "space/search_space.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "space/base/error.h"
#include "space/block_layers.h"

namespace hone {
namespace {

constexpr int kMaxRejections = 10'000;

[[noreturn]] void Refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kUsage, "space." + where + ": " + what);
}

template <typename T>
void CheckList(const std::vector<T>& values, const std::string& name) {
  if (values.empty()) Refuse(name, "at least one choice is needed");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::find(values.begin(), values.begin() + i, values[i]) !=
        values.begin() + i) {
      std::ostringstream what;
      what << "'" << values[i] << "' stands there twice";
      Refuse(name + "[" + std::to_string(i) + "]", what.str());
    }
  }
}

std::string Joined(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values) {
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  }
  return text;
}

template <typename T>
bool Has(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

void CheckHeads(const SearchSpaceOptions& options) {
  const auto divides_some = [&](std::int64_t heads) {
    return std::any_of(options.d_model.begin(), options.d_model.end(),
                       [&](std::int64_t d) { return d % heads == 0; });
  };
  for (std::size_t i = 0; i < options.heads.size(); ++i) {
    if (!divides_some(options.heads[i])) {
      Refuse("heads[" + std::to_string(i) + "]",
             std::to_string(options.heads[i]) + " does not divide d_model " +
                 Joined(options.d_model));
    }
  }
  for (std::size_t i = 0; i < options.d_model.size(); ++i) {
    const std::int64_t d = options.d_model[i];
    if (std::none_of(options.heads.begin(), options.heads.end(),
                     [&](std::int64_t heads) { return d % heads == 0; })) {
      Refuse("d_model[" + std::to_string(i) + "]",
             std::to_string(d) + " is divided by none of heads " +
                 Joined(options.heads));
    }
  }
}

const std::vector<std::int64_t>& NoLayers() {
  static const std::vector<std::int64_t> none = {0};
  return none;
}

template <typename T>
const T& Extreme(const std::vector<T>& values, bool largest) {
  return largest ? *std::max_element(values.begin(), values.end())
                 : *std::min_element(values.begin(), values.end());
}

// Every list of `length` elements of `choices`, in counting order with the
// first element fastest.
template <typename T, typename Visit>
void ForEachList(const std::vector<T>& choices, std::size_t length,
                 Visit visit) {
  std::vector<std::size_t> digits(length, 0);
  while (true) {
    std::vector<T> list;
    for (const std::size_t digit : digits) list.push_back(choices[digit]);
    visit(list);
    std::size_t place = 0;
    while (place < length && ++digits[place] == choices.size()) {
      digits[place++] = 0;
    }
    if (place == length) return;
  }
}

// Words are compared with those of blocks, so they must be spelled alike.
void CheckPrecision(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string where = "precision[" + std::to_string(i) + "]";
    try {
      const std::string word = Name(ParsePrecision(words[i]));
      if (word != words[i]) {
        Refuse(where, "'" + words[i] + "' is spelled '" + word + "'");
      }
    } catch (const Error& error) {
      Refuse(where, error.what());
    }
  }
}

}  // namespace

SearchSpace::SearchSpace(const SearchSpaceOptions& options,
                         const TaskShape& task)
    : options_(options), task_(task) {
  CheckList(options.d_model, "d_model");
  CheckList(options.layers, "layers");
  CheckList(options.decoder_layers, "decoder_layers");
  CheckList(options.heads, "heads");
  CheckList(options.feed_forward, "feed_forward");
  CheckList(options.cross_layers, "cross_layers");
  CheckList(options.activation, "activation");
  CheckList(options.precision, "precision");
  CheckPrecision(options.precision);
  CheckList(options.rank, "rank");
  CheckList(options.head_dim, "head_dim");
  CheckList(options.attention_products, "attention_products");
  CheckList(options.positions, "positions");
  CheckList(options.norm, "norm");
  CheckList(options.norm_place, "norm_place");
  CheckList(options.output, "output");
  CheckHeads(options);
  CheckAttention("attention", options.attention,
                 task.topology == Topology::kDecoder);
  if (task.topology == Topology::kEncoderDecoder) {
    const bool own = !options.decoder_attention.empty();
    CheckAttention(own ? "decoder_attention" : "attention",
                   AttentionWords(true), true);
  } else if (!options.decoder_attention.empty()) {
    Refuse("decoder_attention",
           "only a translation has an encoder and a decoder; use attention");
  }
  CheckRank();
  CheckProducts();
  for (std::size_t i = 0; i < options.constraints.size(); ++i) {
    const std::string where = "constraints[" + std::to_string(i) + "]";
    try {
      constraints_.push_back(ParseConstraint(options.constraints[i]));
      CostMetric(Cost{}, constraints_.back().metric);
    } catch (const Error& error) {
      Refuse(where, error.what());
    }
  }
}

// A kind must be known, fit some heads, and be causal in a decoder.
void SearchSpace::CheckAttention(const std::string& key,
                                 const std::vector<std::string>& words,
                                 bool decoder) const {
  CheckList(words, key);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string where = key + "[" + std::to_string(i) + "]";
    try {
      const AttentionSpec kind = ParseAttention(words[i]);
      if (decoder && !CanBeCausal(kind)) {
        Refuse(where, words[i] +
                          " mixes later tokens into earlier ones, so a decoder "
                          "cannot use it; use full, local, strided, performer "
                          "or linear" +
                          (key == "attention" &&
                                   task_.topology == Topology::kEncoderDecoder
                               ? " in decoder_attention"
                               : ""));
      }
      const bool fits =
          std::any_of(options_.heads.begin(), options_.heads.end(),
                      [&](std::int64_t heads) {
                        return WithHeads(kind, heads).has_value();
                      });
      if (!fits) {
        Refuse(where, words[i] + ": its key/value heads divide none of heads " +
                          Joined(options_.heads));
      }
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with("space.")) throw;
      Refuse(where, what);
    }
  }
}

const std::vector<std::string>& SearchSpace::AttentionWords(
    bool decoder) const {
  return decoder && !options_.decoder_attention.empty()
             ? options_.decoder_attention
             : options_.attention;
}

const std::vector<std::int64_t>& SearchSpace::EncoderLayers() const {
  return task_.topology == Topology::kDecoder ? NoLayers() : options_.layers;
}

const std::vector<std::int64_t>& SearchSpace::DecoderLayers() const {
  switch (task_.topology) {
    case Topology::kEncoder:
      return NoLayers();
    case Topology::kDecoder:
      return options_.layers;
    case Topology::kEncoderDecoder:
      return options_.decoder_layers;
  }
  return NoLayers();
}

std::vector<AttentionSpec> SearchSpace::AttentionChoices(const StemSpec& stem,
                                                         bool decoder) const {
  std::vector<AttentionSpec> choices;
  for (const std::string& word : AttentionWords(decoder)) {
    for (const std::int64_t heads : options_.heads) {
      if (stem.d_model % heads != 0) continue;
      const auto choice = WithHeads(ParseAttention(word), heads);
      if (choice && !HeadDimChoices(stem, *choice).empty() &&
          std::find(choices.begin(), choices.end(), *choice) == choices.end()) {
        choices.push_back(*choice);
      }
    }
  }
  return choices;
}

std::vector<std::optional<CrossAttentionSpec>> SearchSpace::CrossChoices(
    const StemSpec& stem, std::size_t encoder_layers) const {
  if (encoder_layers == 0) return {std::nullopt};
  std::vector<std::optional<CrossAttentionSpec>> choices;
  for (const std::int64_t heads : options_.heads) {
    if (stem.d_model % heads != 0) continue;
    for (const std::int64_t layers : options_.cross_layers) {
      if (layers > static_cast<std::int64_t>(encoder_layers)) continue;
      choices.emplace_back(CrossAttentionSpec{heads, layers});
    }
  }
  return choices;
}

std::vector<StemSpec> SearchSpace::StemChoices() const {
  std::vector<StemSpec> stems;
  for (const std::int64_t d_model : options_.d_model) {
    for (const std::string& positions : options_.positions) {
      for (const std::string& norm : options_.norm) {
        for (const std::string& place : options_.norm_place) {
          for (const std::string& output : options_.output) {
            stems.push_back({d_model, Parse<Positions>(positions),
                             Parse<Norm>(norm), Parse<NormPlace>(place),
                             Parse<OutputEmbedding>(output)});
          }
        }
      }
    }
  }
  return stems;
}

std::vector<std::int64_t> SearchSpace::HeadDimChoices(
    const StemSpec& stem, const AttentionSpec& attention) const {
  const std::int64_t usual = stem.d_model / Heads(attention);
  std::vector<std::int64_t> choices;
  for (const std::int64_t listed : options_.head_dim) {
    const std::int64_t head_dim = listed == usual ? 0 : listed;
    const bool odd = (head_dim > 0 ? head_dim : usual) % 2 != 0;
    if (odd && stem.positions == Positions::kRotary) continue;
    if (!Has(choices, head_dim)) choices.push_back(head_dim);
  }
  return choices;
}

std::vector<AttentionProducts> SearchSpace::ProductChoices(
    const AttentionSpec& attention) const {
  if (!CanMultiplyInA8(attention)) return {AttentionProducts::kF32};
  std::vector<AttentionProducts> choices;
  for (const std::string& word : options_.attention_products) {
    choices.push_back(Parse<AttentionProducts>(word));
  }
  return choices;
}

std::vector<std::int64_t> SearchSpace::RankChoices(
    const StemSpec& stem, const BlockSpec& block) const {
  std::vector<std::int64_t> choices;
  for (const std::int64_t listed : options_.rank) {
    BlockSpec with = block;
    with.rank = listed;
    const std::int64_t rank = HasFactoredLayer(stem, with) ? listed : 0;
    if (!Has(choices, rank)) choices.push_back(rank);
  }
  return choices;
}

bool SearchSpace::PrecisionPerLinear() const {
  return options_.precision_of == "linear";
}

Precision SearchSpace::SamplePrecision(Rng& rng) const {
  return ParsePrecision(rng.Pick(options_.precision));
}

void SearchSpace::CheckProducts() const {
  const std::string word = Name(AttentionProducts::kA8);
  const auto have_a8 = [](const std::vector<std::string>& kinds) {
    return std::any_of(kinds.begin(), kinds.end(), [](const std::string& kind) {
      return CanMultiplyInA8(ParseAttention(kind));
    });
  };
  if (Has(options_.attention_products, word) &&
      !have_a8(AttentionWords(false)) && !have_a8(AttentionWords(true))) {
    Refuse("attention_products",
           "'a8' is for full and local attention, and space.attention has "
           "neither");
  }
}

// A rank that factors no layer of any block would be no choice.
void SearchSpace::CheckRank() const {
  for (std::size_t i = 0; i < options_.rank.size(); ++i) {
    BlockSpec block;
    block.rank = options_.rank[i];
    bool used = block.rank == 0;
    for (const StemSpec& stem : StemChoices()) {
      for (const bool decoder : {false, true}) {
        for (const AttentionSpec& attention : AttentionChoices(stem, decoder)) {
          block.attention = attention;
          for (const std::int64_t head_dim : HeadDimChoices(stem, attention)) {
            block.head_dim = head_dim;
            block.feed_forward.width = Extreme(options_.feed_forward, true);
            used = used || HasFactoredLayer(stem, block);
          }
        }
      }
    }
    if (!used) {
      Refuse("rank[" + std::to_string(i) + "]",
             std::to_string(block.rank) +
                 " saves no weights in any layer of the space; use less than "
                 "in out / (in + out)");
    }
  }
}

std::vector<BlockSpec> SearchSpace::BlockShapes(const StemSpec& stem,
                                                std::size_t encoder_layers,
                                                bool decoder) const {
  std::vector<BlockSpec> shapes;
  BlockSpec block;
  block.precision = ParsePrecision(options_.precision.front());
  const auto crosses = CrossChoices(stem, decoder ? encoder_layers : 0);
  const auto add_rest = [&] {
    for (const auto& cross : crosses) {
      block.cross = cross;
      for (const std::int64_t head_dim :
           HeadDimChoices(stem, block.attention)) {
        block.head_dim = head_dim;
        for (const AttentionProducts products :
             ProductChoices(block.attention)) {
          block.products = products;
          for (const std::int64_t rank : RankChoices(stem, block)) {
            shapes.push_back(block);
            shapes.back().rank = rank;
          }
        }
      }
    }
  };
  for (const AttentionSpec& attention : AttentionChoices(stem, decoder)) {
    block.attention = attention;
    for (const std::int64_t width : options_.feed_forward) {
      for (const std::string& activation : options_.activation) {
        block.feed_forward = {width, Parse<Activation>(activation)};
        add_rest();
      }
    }
  }
  return shapes;
}

std::vector<BlockSpec> SearchSpace::BlockChoices(const StemSpec& stem,
                                                 std::size_t encoder_layers,
                                                 bool decoder) const {
  std::vector<Precision> precisions;
  for (const std::string& word : options_.precision) {
    precisions.push_back(ParsePrecision(word));
  }
  std::vector<BlockSpec> choices;
  for (const BlockSpec& shape : BlockShapes(stem, encoder_layers, decoder)) {
    const std::vector<LinearRole> roles = LinearRolesOf(shape);
    ForEachList(precisions, PrecisionPerLinear() ? roles.size() : 1,
                [&](const std::vector<Precision>& list) {
                  LinearPrecisions all;
                  for (std::size_t i = 0; i < roles.size(); ++i) {
                    all[roles[i]] = list[list.size() == 1 ? 0 : i];
                  }
                  choices.push_back(shape);
                  SetPrecisions(all, choices.back());
                });
  }
  return choices;
}

double SearchSpace::CountBlocks(const StemSpec& stem,
                                std::size_t encoder_layers,
                                bool decoder) const {
  const auto precisions = static_cast<double>(options_.precision.size());
  double count = 0;
  for (const BlockSpec& shape : BlockShapes(stem, encoder_layers, decoder)) {
    const auto layers = static_cast<double>(LinearRolesOf(shape).size());
    count += PrecisionPerLinear() ? std::pow(precisions, layers) : precisions;
  }
  return count;
}

double SearchSpace::Size() const {
  double size = 0;
  for (const StemSpec& stem : StemChoices()) {
    for (const std::int64_t encoder : EncoderLayers()) {
      const auto depth = static_cast<std::size_t>(encoder);
      const double per_encoder = CountBlocks(stem, depth, false);
      const double per_decoder = CountBlocks(stem, depth, true);
      for (const std::int64_t decoder : DecoderLayers()) {
        size += std::pow(per_encoder, static_cast<double>(encoder)) *
                std::pow(per_decoder, static_cast<double>(decoder));
      }
    }
  }
  return size;
}

std::string SearchSpace::ConstraintViolation(
    const Architecture& architecture) const {
  if (constraints_.empty()) return {};
  const Cost cost = CostOf(architecture, task_, 1, task_.max_tokens);
  for (const Constraint& constraint : constraints_) {
    const double value = CostMetric(cost, constraint.metric);
    if (!Holds(constraint, value)) {
      std::ostringstream out;
      out << constraint.metric << " is " << value << ", not "
          << ToText(constraint);
      return out.str();
    }
  }
  return {};
}

bool SearchSpace::ContainsBlock(const Architecture& architecture,
                                const BlockSpec& block, bool decoder) const {
  const StemSpec& stem = architecture.stem;
  return Has(AttentionChoices(stem, decoder), block.attention) &&
         Has(CrossChoices(stem, decoder ? architecture.encoder.size() : 0),
             block.cross) &&
         Has(options_.feed_forward, block.feed_forward.width) &&
         Has(options_.activation, Name(block.feed_forward.activation)) &&
         Has(HeadDimChoices(stem, block.attention), block.head_dim) &&
         Has(ProductChoices(block.attention), block.products) &&
         Has(RankChoices(stem, block), block.rank) && ContainsPrecisions(block);
}

bool SearchSpace::ContainsPrecisions(const BlockSpec& block) const {
  if (!PrecisionPerLinear() && !block.linears.empty()) return false;
  BlockSpec canonical = block;
  SetPrecisions(PrecisionsOf(block), canonical);
  const LinearPrecisions precisions = PrecisionsOf(block);
  return canonical == block &&
         std::all_of(precisions.begin(), precisions.end(),
                     [&](const auto& entry) {
                       return Has(options_.precision, Name(entry.second));
                     });
}

bool SearchSpace::Contains(const Architecture& architecture) const {
  const auto depth = [](const std::vector<BlockSpec>& blocks) {
    return static_cast<std::int64_t>(blocks.size());
  };
  if (!Has(StemChoices(), architecture.stem) ||
      !Has(EncoderLayers(), depth(architecture.encoder)) ||
      !Has(DecoderLayers(), depth(architecture.decoder))) {
    return false;
  }
  for (const BlockSpec& block : architecture.encoder) {
    if (!ContainsBlock(architecture, block, false)) return false;
  }
  for (const BlockSpec& block : architecture.decoder) {
    if (!ContainsBlock(architecture, block, true)) return false;
  }
  return ConstraintViolation(architecture).empty();
}

BlockSpec SearchSpace::SampleBlock(const Architecture& around, bool decoder,
                                   Rng& rng) const {
  BlockSpec block;
  block.attention = rng.Pick(AttentionChoices(around.stem, decoder));
  block.feed_forward.width = rng.Pick(options_.feed_forward);
  block.feed_forward.activation =
      Parse<Activation>(rng.Pick(options_.activation));
  if (!PrecisionPerLinear()) block.precision = SamplePrecision(rng);
  block.cross =
      rng.Pick(CrossChoices(around.stem, decoder ? around.encoder.size() : 0));
  if (PrecisionPerLinear()) {
    LinearPrecisions precisions;
    for (const LinearRole role : LinearRolesOf(block)) {
      precisions[role] = SamplePrecision(rng);
    }
    SetPrecisions(precisions, block);
  }
  // One choice takes no draw, so that what a spec does not search leaves the
  // stream as it was.
  const auto pick = [&](const auto& choices) {
    return choices.size() == 1 ? choices.front() : rng.Pick(choices);
  };
  block.head_dim = pick(HeadDimChoices(around.stem, block.attention));
  block.products = pick(ProductChoices(block.attention));
  block.rank = pick(RankChoices(around.stem, block));
  return block;
}

Architecture SearchSpace::Sample(Rng& rng) const {
  for (int attempt = 0; attempt < kMaxRejections; ++attempt) {
    Architecture architecture;
    architecture.stem = rng.Pick(StemChoices());
    const std::int64_t encoder = rng.Pick(EncoderLayers());
    const std::int64_t decoder = rng.Pick(DecoderLayers());
    for (std::int64_t i = 0; i < encoder; ++i) {
      architecture.encoder.push_back(SampleBlock(architecture, false, rng));
    }
    for (std::int64_t i = 0; i < decoder; ++i) {
      architecture.decoder.push_back(SampleBlock(architecture, true, rng));
    }
    if (ConstraintViolation(architecture).empty()) return architecture;
  }
  Refuse("constraints",
         "none of 10,000 random architectures satisfies them; "
         "loosen a bound or add smaller choices");
}

BlockSpec SearchSpace::ExtremeBlock(const StemSpec& stem,
                                    std::size_t encoder_layers, bool decoder,
                                    bool largest) const {
  BlockSpec made = BlockShapes(stem, encoder_layers, decoder).front();
  for (const AttentionSpec& choice : AttentionChoices(stem, decoder)) {
    const bool better = largest ? Heads(choice) > Heads(made.attention)
                                : Heads(choice) < Heads(made.attention);
    if (better && choice.index() == made.attention.index() &&
        AttentionName(choice) == AttentionName(made.attention)) {
      made.attention = choice;
    }
  }
  if (made.cross) made.cross->heads = Heads(made.attention);
  made.feed_forward.width = Extreme(options_.feed_forward, largest);
  const auto by = [&](const std::vector<std::int64_t>& choices, auto size) {
    const auto smaller = [&](std::int64_t a, std::int64_t b) {
      return size(a) < size(b);
    };
    return largest ? *std::max_element(choices.begin(), choices.end(), smaller)
                   : *std::min_element(choices.begin(), choices.end(), smaller);
  };
  made.head_dim = by(HeadDimChoices(stem, made.attention), [&](auto head_dim) {
    return head_dim > 0 ? head_dim : stem.d_model / Heads(made.attention);
  });
  // A layer without a rank is the largest.
  made.rank = by(RankChoices(stem, made), [](std::int64_t rank) {
    return rank > 0 ? rank : std::numeric_limits<std::int64_t>::max();
  });
  return made;
}

std::optional<Architecture> SearchSpace::Uniform(bool largest) const {
  Architecture architecture;
  architecture.stem = StemChoices().front();
  architecture.stem.d_model = Extreme(options_.d_model, largest);
  const std::int64_t encoder = Extreme(EncoderLayers(), largest);
  const std::int64_t decoder = Extreme(DecoderLayers(), largest);
  const auto block = [&](bool in_decoder) {
    return ExtremeBlock(architecture.stem, static_cast<std::size_t>(encoder),
                        in_decoder, largest);
  };
  architecture.encoder.assign(static_cast<std::size_t>(encoder), block(false));
  architecture.decoder.assign(static_cast<std::size_t>(decoder), block(true));
  if (!Contains(architecture)) return std::nullopt;
  return architecture;
}

std::optional<Architecture> SearchSpace::Largest() const {
  return Uniform(true);
}

std::optional<Architecture> SearchSpace::Smallest() const {
  return Uniform(false);
}

std::vector<Architecture> SearchSpace::Enumerate(std::size_t limit) const {
  if (Size() > static_cast<double>(limit)) {
    throw Error(ErrorCode::kUsage, "the space is too large to enumerate");
  }
  std::vector<Architecture> members;
  for (const StemSpec& stem : StemChoices()) {
    for (const std::int64_t encoder_layers : EncoderLayers()) {
      const auto depth = static_cast<std::size_t>(encoder_layers);
      const std::vector<BlockSpec> encoders = BlockChoices(stem, depth, false);
      const std::vector<BlockSpec> decoders = BlockChoices(stem, depth, true);
      for (const std::int64_t decoder_layers : DecoderLayers()) {
        ForEachList(encoders, depth, [&](const auto& encoder) {
          ForEachList(decoders, static_cast<std::size_t>(decoder_layers),
                      [&](const auto& decoder) {
                        Architecture member{stem, encoder, decoder};
                        if (ConstraintViolation(member).empty()) {
                          members.push_back(std::move(member));
                        }
                      });
        });
      }
    }
  }
  return members;
}

}  // namespace hone
