#include "space/search_space.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "space/base/error.h"
#include "space/block_layers.h"
#include "space/choices.h"

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

// Words are compared with those of blocks, so they must be spelled alike.
void CheckPrecision(const std::string& key,
                    const std::vector<std::string>& words,
                    Precision (*parse)(std::string_view)) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string where = key + "[" + std::to_string(i) + "]";
    try {
      const std::string word = Name(parse(words[i]));
      if (word != words[i]) {
        Refuse(where, "'" + words[i] + "' is spelled '" + word + "'");
      }
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with("space.")) throw;
      Refuse(where, what);
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
  CheckPrecision("precision", options.precision, ParsePrecision);
  CheckList(options.rank, "rank");
  CheckList(options.head_dim, "head_dim");
  CheckList(options.attention_products, "attention_products");
  CheckList(options.positions, "positions");
  CheckList(options.norm, "norm");
  CheckList(options.norm_place, "norm_place");
  CheckList(options.output, "output");
  CheckList(options.compute, "compute");
  CheckEmbedding();
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
  CheckBlocks();
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

void SearchSpace::CheckEmbedding() const {
  CheckList(options_.embedding, "embedding");
  CheckList(options_.embedding_rank, "embedding_rank");
  CheckPrecision("embedding", options_.embedding, ParseTablePrecision);
  if (task_.features == 0) return;
  const SearchSpaceOptions usual;
  const char* given = options_.embedding != usual.embedding ? "embedding"
                      : options_.embedding_rank != usual.embedding_rank
                          ? "embedding_rank"
                          : nullptr;
  if (given != nullptr) {
    Refuse(given,
           "the task's network reads vectors and has no token table; leave it "
           "out");
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

std::vector<std::int64_t> SearchSpace::EmbeddingRanks(
    std::int64_t d_model) const {
  std::vector<std::int64_t> ranks;
  for (const std::int64_t rank : options_.embedding_rank) {
    const std::int64_t used =
        IsFactored(rank, task_.vocabulary, d_model) ? rank : 0;
    if (!Has(ranks, used)) ranks.push_back(used);
  }
  return ranks;
}

std::vector<StemSpec> SearchSpace::StemChoices() const {
  std::vector<StemSpec> stems;
  const auto add = [&](StemSpec stem) {
    for (const std::string& word : options_.embedding) {
      stem.embedding = ParsePrecision(word);
      for (const std::int64_t rank : EmbeddingRanks(stem.d_model)) {
        stem.embedding_rank = rank;
        for (const std::string& compute : options_.compute) {
          stem.compute = Parse<Compute>(compute);
          stems.push_back(stem);
        }
      }
    }
  };
  for (const std::int64_t d_model : options_.d_model) {
    for (const std::string& positions : options_.positions) {
      for (const std::string& norm : options_.norm) {
        for (const std::string& place : options_.norm_place) {
          for (const std::string& output : options_.output) {
            add({d_model, Parse<Positions>(positions), Parse<Norm>(norm),
                 Parse<NormPlace>(place), Parse<OutputEmbedding>(output)});
          }
        }
      }
    }
  }
  return stems;
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

// Every stem and depth must have a block: a draw of them would find nothing.
void SearchSpace::CheckBlocks() const {
  for (const StemSpec& stem : StemChoices()) {
    for (const bool decoder : {false, true}) {
      if (task_.topology ==
              (decoder ? Topology::kEncoder : Topology::kDecoder) ||
          !AttentionChoices(stem, decoder).empty()) {
        continue;
      }
      const bool own = decoder && !options_.decoder_attention.empty();
      Refuse(own ? "decoder_attention" : "attention",
             "none of the words fits d_model " + std::to_string(stem.d_model) +
                 " with heads " + Joined(options_.heads) + " and positions " +
                 Name(stem.positions) +
                 ": heads must divide d_model, key/value heads the heads, and "
                 "rotary positions need an even head_dim");
    }
  }
  if (task_.topology != Topology::kEncoderDecoder) return;
  const std::int64_t fewest = Extreme(options_.cross_layers, false);
  for (std::size_t i = 0; i < options_.layers.size(); ++i) {
    if (options_.layers[i] >= fewest) continue;
    Refuse("layers[" + std::to_string(i) + "]",
           std::to_string(options_.layers[i]) +
               " encoder blocks are fewer than each of cross_layers " +
               Joined(options_.cross_layers));
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

std::optional<Architecture> SearchSpace::Uniform(bool largest) const {
  Architecture architecture;
  architecture.stem = StemChoices().front();
  architecture.stem.d_model = Extreme(options_.d_model, largest);
  architecture.stem.embedding_rank =
      EmbeddingRanks(architecture.stem.d_model).front();
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
