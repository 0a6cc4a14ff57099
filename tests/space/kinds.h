#pragma once

#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/block_layers.h"
#include "tests/space/shapes.h"

namespace hone {

// A network with its task, for tests that run over every kind there is.
struct NetworkCase {
  std::string name;
  Architecture architecture;
  TaskShape task;
};

// One spelling of each attention kind and, of those that cut long texts in
// blocks, one that does at 24 tokens.
inline std::vector<std::string> AttentionWords(bool causal) {
  std::vector<std::string> words = {"full",      "full:1",       "full:2",
                                    "local:3",   "local:9",      "strided:3",
                                    "strided:8", "performer:12", "linear"};
  if (causal) return words;
  for (const char* word :
       {"linformer:5", "linformer:5:key-value", "linformer:5:layerwise"}) {
    words.emplace_back(word);
  }
  return words;
}

inline BlockSpec BlockOf(const std::string& word, std::int64_t heads,
                         std::int64_t width, Precision precision,
                         Activation activation = Activation::kGelu) {
  return {
      *WithHeads(ParseAttention(word), heads), {width, activation}, precision};
}

inline NetworkCase EncoderCase(const std::string& word, StemSpec stem,
                               Precision precision) {
  const BlockSpec block = BlockOf(word, 4, 2 * stem.d_model, precision);
  return {
      "encoder " + word, {stem, {block, block}}, ClassifierShape(50, 6, 24)};
}

inline NetworkCase DecoderCase(const std::string& word, StemSpec stem,
                               Precision precision) {
  const BlockSpec block = BlockOf(word, 4, 2 * stem.d_model, precision);
  return {"decoder " + word, {stem, {}, {block, block}}, DecoderShape(50, 24)};
}

inline NetworkCase TranslationCase(StemSpec stem, Precision precision) {
  const BlockSpec encoder = BlockOf("full", 4, 2 * stem.d_model, precision);
  BlockSpec one = encoder;
  one.cross = CrossAttentionSpec{4, 1};
  BlockSpec two = BlockOf("local:3", 2, stem.d_model, precision);
  two.cross = CrossAttentionSpec{2, 2};
  return {"translation",
          {stem, {encoder, encoder, encoder}, {one, two}},
          TranslationShape(50, 24, 20)};
}

// Every attention kind in every place that it can stand in, and every choice of
// the stem, at this width.
inline std::vector<NetworkCase> NetworkCases(std::int64_t d_model,
                                             Precision precision) {
  std::vector<NetworkCase> cases;
  for (const std::string& word : AttentionWords(false)) {
    cases.push_back(EncoderCase(word, {d_model}, precision));
  }
  for (const std::string& word : AttentionWords(true)) {
    cases.push_back(DecoderCase(word, {d_model}, precision));
  }
  cases.push_back(TranslationCase({d_model}, precision));
  for (const std::string& positions : NamesOf<Positions>()) {
    for (const std::string& norm : NamesOf<Norm>()) {
      const NormPlace place =
          norm == "rms" ? NormPlace::kPost : NormPlace::kPre;
      const StemSpec stem{d_model, Parse<Positions>(positions),
                          Parse<Norm>(norm), place, OutputEmbedding::kUntied};
      for (NetworkCase one : {EncoderCase("full", stem, precision),
                              DecoderCase("full:2", stem, precision),
                              TranslationCase(stem, precision)}) {
        one.name += " " + positions + " " + norm + " " + Name(place);
        cases.push_back(one);
      }
    }
  }
  for (const Activation activation : {Activation::kRelu, Activation::kSwiglu}) {
    NetworkCase one = EncoderCase("full", {d_model}, precision);
    for (BlockSpec& block : one.architecture.encoder) {
      block.feed_forward.activation = activation;
    }
    one.name += " " + Name(activation);
    cases.push_back(one);
  }
  for (NetworkCase one : {EncoderCase("full", {d_model}, precision),
                          EncoderCase("linear", {d_model}, precision),
                          EncoderCase("linformer:5", {d_model}, precision),
                          DecoderCase("full:2", {d_model}, precision),
                          TranslationCase({d_model}, precision)}) {
    // What is left of pruned and factored layers.
    for (auto* blocks :
         {&one.architecture.encoder, &one.architecture.decoder}) {
      for (BlockSpec& block : *blocks) {
        block.head_dim = 6;
        block.rank = d_model / 4;
      }
    }
    one.name += " factored";
    cases.push_back(one);
  }
  for (NetworkCase one : {EncoderCase("full", {d_model}, precision),
                          DecoderCase("full:2", {d_model}, precision),
                          TranslationCase({d_model}, precision)}) {
    one.architecture.stem.embedding_rank = d_model / 4;
    one.name += " narrow table";
    cases.push_back(one);
  }
  NetworkCase features = EncoderCase("full", {d_model}, precision);
  features.name = "features";
  features.task = FeatureShape(7, 6, 24);
  cases.push_back(features);
  return cases;
}

// Products of attention in a8, in every place that they can stand in, with
// tokens in blocks and with a mask.
inline std::vector<NetworkCase> CasesInA8(std::int64_t d_model,
                                          Precision precision) {
  std::vector<NetworkCase> cases = {TranslationCase({d_model}, precision)};
  StemSpec rotary{d_model};
  rotary.positions = Positions::kRotary;
  for (const char* word : {"full", "full:2", "full:1", "local:3", "local:9"}) {
    cases.push_back(EncoderCase(word, {d_model}, precision));
    cases.push_back(DecoderCase(word, rotary, precision));
  }
  for (NetworkCase& one : cases) {
    one.name += " a8";
    for (auto* blocks :
         {&one.architecture.encoder, &one.architecture.decoder}) {
      for (BlockSpec& block : *blocks) block.products = AttentionProducts::kA8;
    }
  }
  return cases;
}

// Every layer of a block in a precision of its own, so that layers of several
// kinds read one tensor; whole, and with a rank that some layers have.
inline std::vector<NetworkCase> MixedCases(std::int64_t d_model) {
  std::vector<NetworkCase> cases;
  for (const std::int64_t rank : {std::int64_t{0}, 2 * d_model / 5}) {
    for (NetworkCase one : {EncoderCase("full:1", {d_model}, Precision::kF32),
                            DecoderCase("full", {d_model}, Precision::kF32),
                            TranslationCase({d_model}, Precision::kF32)}) {
      one.name += rank > 0 ? " mixed factored" : " mixed";
      std::size_t next = 0;
      for (auto* blocks :
           {&one.architecture.encoder, &one.architecture.decoder}) {
        for (BlockSpec& block : *blocks) {
          block.feed_forward.activation = Activation::kSwiglu;
          block.rank = rank;
          LinearPrecisions precisions;
          for (const LinearRole role : LinearRolesOf(block)) {
            const char* words[] = {"f32", "w8a8", "w4", "w2a8", "w8"};
            precisions[role] = ParsePrecision(words[next++ % 5]);
          }
          SetPrecisions(precisions, block);
        }
      }
      cases.push_back(one);
    }
  }
  return cases;
}

// One of every way that a linear layer is stored.
inline std::vector<Precision> EveryPrecision() {
  std::vector<Precision> precisions;
  for (const char* word : {"f32",
                           "w8a8",
                           "w8a8:tensor",
                           "w4a8",
                           "w3a8",
                           "w2a8",
                           "w4a8-nf4",
                           "w4a8-kmeans",
                           "w8",
                           "w8:64",
                           "w8:tensor",
                           "w8-asymmetric",
                           "w4",
                           "w4:row",
                           "w4:tensor",
                           "w4-asymmetric",
                           "w4-asymmetric:row",
                           "w3",
                           "w3:row",
                           "w3-asymmetric",
                           "w2",
                           "w2-asymmetric",
                           "w2-kmeans",
                           "w4-nf4:64",
                           "w4-kmeans",
                           "w4-log2",
                           "w4-apot:row"}) {
    precisions.push_back(ParsePrecision(word));
  }
  return precisions;
}

// Every way that a token table is stored, in every topology and tied and not,
// of this width and of one whose rows do not fill bytes.
inline std::vector<NetworkCase> TableCases(std::int64_t d_model) {
  std::vector<NetworkCase> cases;
  for (const char* word : {"w8", "w4:row", "w2:row"}) {
    for (const std::int64_t rank : {std::int64_t{0}, std::int64_t{7}}) {
      StemSpec stem{d_model};
      stem.embedding = ParsePrecision(word);
      stem.embedding_rank = rank;
      StemSpec untied = stem;
      untied.output = OutputEmbedding::kUntied;
      for (NetworkCase one : {EncoderCase("full", stem, Precision::kF32),
                              DecoderCase("full:2", stem, Precision::kF32),
                              DecoderCase("full:1", untied, Precision::kF32),
                              TranslationCase(stem, Precision::kF32)}) {
        one.name += std::string(" table ") + word;
        if (rank > 0) one.name += " rank " + std::to_string(rank);
        cases.push_back(one);
      }
    }
  }
  return cases;
}

// Networks that compute in bf16, whatever their layers and tables are.
inline std::vector<NetworkCase> Bf16Cases(std::int64_t d_model) {
  StemSpec stem{d_model};
  stem.compute = Compute::kBf16;
  StemSpec rotary = stem;
  rotary.positions = Positions::kRotary;
  rotary.norm = Norm::kRms;
  rotary.output = OutputEmbedding::kUntied;
  StemSpec table = stem;
  table.embedding = ParsePrecision("w4:row");
  table.embedding_rank = 7;
  NetworkCase features = EncoderCase("full", stem, Precision::kF32);
  features.name = "features";
  features.task = FeatureShape(7, 6, 24);
  std::vector<NetworkCase> cases = {
      features,
      EncoderCase("full", stem, Precision::kF32),
      EncoderCase("full", rotary, Precision::kF32),
      EncoderCase("linformer:5", stem, Precision::kF32),
      EncoderCase("performer:12", stem, Precision::kF32),
      DecoderCase("full:2", stem, Precision::kF32),
      DecoderCase("linear", rotary, Precision::kF32),
      DecoderCase("local:3", table, Precision::kF32),
      TranslationCase(stem, Precision::kF32)};
  for (const char* word : {"w8a8", "w4", "w2a8"}) {
    const Precision precision = ParsePrecision(word);
    cases.push_back(EncoderCase("full", stem, precision));
    cases.push_back(DecoderCase("full:2", stem, precision));
    for (std::size_t i = cases.size() - 2; i < cases.size(); ++i) {
      cases[i].name += std::string(" ") + word;
    }
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    cases[i].name += " bf16 " + std::to_string(i);
  }
  return cases;
}

// For names of parameterized tests.
inline std::string TestName(const std::string& text) {
  std::string name;
  for (const char c : text) {
    name += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
  }
  return name;
}
inline std::string TestName(const Precision& precision) {
  return TestName(Name(precision));
}
inline std::string TestName(const NetworkCase& one) {
  return TestName(one.name);
}

inline void PrintTo(const NetworkCase& one, std::ostream* out) {
  *out << one.name;
}

}  // namespace hone
