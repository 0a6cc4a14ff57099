#include "eval/export/onnx_products.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/export/onnx_export.h"
#include "tests/eval/hand_made.h"
#include "tests/eval/reference_network.h"
#include "tests/space/kinds.h"

namespace hone {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

StoredModel Stored(const std::string& bytes) {
  return ReadStored(ReadOnnx(bytes), static_cast<std::int64_t>(bytes.size()));
}

std::map<std::string, std::string> Files(const NetworkCase& one) {
  const NamedTensors quantized = QuantizeByRange(
      one.architecture, one.task, RandomWeights(one.architecture, one.task, 2),
      RandomInput(2 * 6, one.task, 1), 2, 6);
  return ExportOnnx(one.architecture, one.task, quantized, {});
}

const StoredProduct& Layer(const StoredModel& model, const std::string& name) {
  for (const StoredProduct& product : model.products) {
    if (product.layer == name) return product;
  }
  ADD_FAILURE() << "no layer " << name;
  static const StoredProduct kNone;
  return kNone;
}

std::int64_t Sum(const StoredModel& model) {
  return std::accumulate(
      model.bytes.begin(), model.bytes.end(), std::int64_t{0},
      [](std::int64_t sum, const auto& part) { return sum + part.bytes; });
}

TEST(ReadStored, TellsThePrecisionOfEveryLinear) {
  struct Case {
    Precision precision;
    const char* label;
    const char* type;
    double bits;
    const char* activations;
    // Of the feed-forward's up, 64 -> 128: codes and scales.
    std::int64_t bytes;
  };
  const std::int64_t weights = 64 * 128;
  for (const Case& one :
       {Case{Precision::kF32, "f32", "f32", 32, "f32", 4 * weights},
        Case{Precision::kW8A8, "w8a8", "i8", 8, "u8", weights + 4 * 128},
        Case{Precision::kW4, "w4", "i4", 4, "f32",
             weights / 2 + 4 * 128 * 2}}) {
    SCOPED_TRACE(one.label);
    const auto files = Files(EncoderCase("full", {64}, one.precision));
    const StoredModel model = Stored(files.at(kModelFile));
    int linears = 0;
    for (const StoredProduct& product : model.products) {
      if (!product.weight || product.layer == "classifier") continue;
      ++linears;
      EXPECT_EQ(product.weight->label, one.label) << product.layer;
      EXPECT_EQ(product.weight->type, one.type);
      EXPECT_EQ(product.weight->bits, one.bits);
      EXPECT_EQ(product.activations, one.activations);
    }
    EXPECT_EQ(linears, 2 * 6);
    const StoredProduct& up = Layer(model, "encoder.0.feed_forward.up");
    EXPECT_THAT(up.weight->dims, ElementsAre(64, 128));
    EXPECT_EQ(up.weight->bytes, one.bytes);
    EXPECT_EQ(Layer(model, "classifier").weight->label, "f32");
  }
}

// One product for each of the network's, with every byte accounted for.
TEST(ReadStored, CountsEveryProductAndByteOfEveryKind) {
  for (const Precision precision :
       {Precision::kF32, Precision::kW8A8, Precision::kW4}) {
    std::vector<NetworkCase> cases = NetworkCases(64, precision);
    if (precision.IsFloat()) {
      for (NetworkCase& one : TableCases(64)) cases.push_back(std::move(one));
    }
    for (const NetworkCase& one : cases) {
      for (const auto& [name, bytes] : Files(one)) {
        SCOPED_TRACE(one.name + " " + name);
        const StoredModel model = Stored(bytes);
        EXPECT_EQ(static_cast<std::int64_t>(model.products.size()),
                  ReadOnnx(bytes).CountOps("MatMul"));
        EXPECT_EQ(Sum(model), static_cast<std::int64_t>(bytes.size()));
        for (const StoredProduct& product : model.products) {
          EXPECT_NE(product.layer, "");
          if (product.weight) {
            EXPECT_NE(product.weight->dims.size(), 0u);
          }
        }
      }
    }
  }
}

TEST(ReadStored, SaysWhatBytesAreFor) {
  const NetworkCase one = EncoderCase("full", {64}, Precision::kF32);
  const StoredModel model = Stored(Files(one).at(kModelFile));
  ASSERT_EQ(model.bytes.size(), 3u);
  // 50 tokens and 24 places.
  EXPECT_EQ(model.bytes[0], (StoredBytes{"tables", "f32", 4 * (50 + 24) * 64}));
  // Two blocks and a head of 6 classes, with biases.
  const std::int64_t block =
      4 * (64 * 64 + 64) + (64 * 128 + 128) + (128 * 64 + 64);
  EXPECT_EQ(model.bytes[1],
            (StoredBytes{"linears", "f32", 4 * (2 * block + 64 * 6 + 6)}));
  EXPECT_EQ(model.bytes[2].what, "rest");
}

TEST(ReadStored, NamesAttentionsProductsAfterTheirPlace) {
  const NetworkCase one = TranslationCase({64}, Precision::kW8A8);
  const auto files = Files(one);
  std::vector<std::string> nameless;
  for (const StoredProduct& product : Stored(files.at(kModelFile)).products) {
    if (!product.weight) {
      nameless.push_back(product.layer.substr(0, product.layer.find(' ')));
    }
  }
  EXPECT_THAT(
      nameless,
      ElementsAre("decoder.0.attention", "decoder.0.attention",
                  "decoder.0.cross", "decoder.0.cross", "decoder.1.attention",
                  "decoder.1.attention", "decoder.1.cross", "decoder.1.cross"));
}

// A square causal mask made of products, as strided attention has one.
TEST(ReadStored, KnowsProductsThatFollowFromShapes) {
  const auto of_shapes = [](const std::string& word) {
    const NetworkCase one = EncoderCase(word, {32}, Precision::kF32);
    std::int64_t count = 0;
    for (const auto& product : Stored(Files(one).at(kModelFile)).products) {
      count += product.of_shapes;
    }
    return count;
  };
  EXPECT_EQ(of_shapes("full"), 0);
  EXPECT_EQ(of_shapes("strided:3"), 2);
}

// A tied embedding serves lookups and the last product; it is counted once.
TEST(ReadStored, ATiedEmbeddingIsATable) {
  const NetworkCase one = DecoderCase("full", {64}, Precision::kF32);
  const StoredModel model = Stored(Files(one).at(kModelFile));
  EXPECT_EQ(model.products.back().layer, "embedding");
  EXPECT_EQ(model.products.back().weight->bytes, 4 * 50 * 64);
  EXPECT_EQ(model.bytes[0], (StoredBytes{"tables", "f32", 4 * (50 + 24) * 64}));
}

// Codes by the bits that each takes; scales, places and levels are floats.
TEST(ReadStored, SaysHowManyBitsATableHas) {
  for (const auto& [word, bytes] :
       {std::pair{"w8", 1000 * 64}, std::pair{"w4:row", 1000 * 32},
        std::pair{"w2:row", 1000 * 16}}) {
    for (const bool tied : {false, true}) {
      StemSpec stem{64};
      stem.embedding = ParsePrecision(word);
      NetworkCase one = tied ? DecoderCase("full", stem, Precision::kF32)
                             : EncoderCase("full", stem, Precision::kF32);
      one.task.vocabulary = 1000;
      const StoredModel model = Stored(Files(one).at(kModelFile));
      const std::string label(word, 2);
      EXPECT_THAT(model.bytes, Contains(StoredBytes{"tables", label, bytes}))
          << word << tied;
      if (!tied) continue;
      const StoredProduct& output = model.products.back();
      EXPECT_EQ(output.layer, "embedding");
      EXPECT_EQ(output.weight->label, label == "w8" ? "w8" : label + " table");
      EXPECT_THAT(output.weight->dims, ElementsAre(64, 1000));
    }
  }
}

TEST(ReadStored, ReadsChainsThatTheExporterDoesNotWrite) {
  const StoredModel model = Stored(HandMadeModel());
  EXPECT_EQ(model.products.size(), 5u);
  const StoredWeight w8 = *Layer(model, "w8").weight;
  EXPECT_EQ(w8.label, "w8");
  const StoredWeight table = *Layer(model, "table").weight;
  EXPECT_EQ(table.label, "w4 table");
  EXPECT_EQ(table.type, "u4");
  EXPECT_EQ(table.bits, 4);
  EXPECT_THAT(table.dims, ElementsAre(kHandMadeWidth, kHandMadeWidth));
  EXPECT_THAT(table.chain, ElementsAre("Cast", "Gather", "Mul", "Transpose"));
  const StoredWeight packed = *Layer(model, "packed").weight;
  EXPECT_EQ(packed.label, "w2");
  EXPECT_EQ(packed.type, "u8");
  EXPECT_EQ(packed.bits, 2);
  EXPECT_THAT(packed.chain, Contains("BitwiseAnd"));
  EXPECT_EQ(Layer(model, "signed").activations, "i8");
  EXPECT_EQ(Layer(model, "signed").weight->label, "w8a8");
  const StoredProduct& last = model.products.back();
  EXPECT_FALSE(last.weight.has_value());
  EXPECT_EQ(last.activations, "u8");
}

}  // namespace
}  // namespace hone
