#include "train/compress/channels.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"
#include "space/network/transformer.h"
#include "tests/space/kinds.h"
#include "tests/train/eager_fixtures.h"
#include "tests/train/random_data.h"
#include "train/compress/importance.h"
#include "train/compress/shrink.h"
#include "train/forward.h"
#include "train/weights.h"

namespace hone {
namespace {

constexpr std::int64_t kBefore = 32;
constexpr std::int64_t kAfter = 20;
// The batch that gradients are taken over.
constexpr std::int64_t kBatch = 16;

// Norms that run over some of the channels, written plainly.
class MaskedOps : public EagerOps {
 public:
  MaskedOps(WeightSource& weights, at::Tensor mask_D)
      : EagerOps(weights), weights_(weights), mask_D_(std::move(mask_D)) {}

  at::Tensor LayerNorm(const std::string& name, const at::Tensor& x,
                       std::int64_t dim) {
    const at::Tensor away = x - Mean(x);
    return (away / (Mean(away * away) + 1e-5).sqrt() * Gain(name, dim) +
            weights_.Get(name + ".bias", WeightRole::kBias, {dim})) *
           mask_D_;
  }
  at::Tensor RmsNorm(const std::string& name, const at::Tensor& x,
                     std::int64_t dim) {
    return x / (Mean(x * x) + 1e-5).sqrt() * Gain(name, dim) * mask_D_;
  }

 private:
  at::Tensor Mean(const at::Tensor& x) const {
    return (x * mask_D_).sum(-1, true) / mask_D_.sum();
  }
  at::Tensor Gain(const std::string& name, std::int64_t dim) {
    return weights_.Get(name + ".weight", WeightRole::kGain, {dim});
  }

  WeightSource& weights_;
  at::Tensor mask_D_;
};

// The cases of every kind that can be made narrower.
std::vector<NetworkCase> Cases() {
  std::vector<NetworkCase> cases;
  for (NetworkCase& one : NetworkCases(kBefore, Precision::kF32)) {
    const bool whole = AllBlocks(one.architecture)[0].rank == 0 &&
                       one.architecture.stem.embedding_rank == 0;
    if (whole && one.architecture.stem.positions != Positions::kSinusoidal) {
      cases.push_back(std::move(one));
    }
  }
  return cases;
}

Architecture Narrower(Architecture architecture) {
  for (auto* blocks : {&architecture.encoder, &architecture.decoder}) {
    for (BlockSpec& block : *blocks) {
      block.head_dim = HeadDim(architecture.stem, block);
    }
  }
  architecture.stem.d_model = kAfter;
  return architecture;
}

// Initial weights with noise, so that no bias is 0 and no gain is 1.
NamedTensors NoisyWeights(const NetworkCase& one) {
  NamedTensors weights = InitialWeights(one.architecture, one.task, 3);
  Rng rng(5);
  for (auto& [name, tensor] : weights) {
    if (name.ends_with(".features")) continue;
    float* values = tensor.data<float>();
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      values[i] += 0.1F * static_cast<float>(rng.Normal());
    }
  }
  return weights;
}

// Which of some scores are among the largest.
std::vector<bool> AmongLargest(const std::vector<double>& scores,
                               std::int64_t count) {
  std::vector<double> sorted = scores;
  std::sort(sorted.rbegin(), sorted.rend());
  std::vector<bool> kept;
  for (const double score : scores) {
    kept.push_back(score >= sorted[static_cast<std::size_t>(count - 1)]);
  }
  return kept;
}

// Rows (axis 0) or columns of a weight times `factor`.
void ScaleWeight(NamedTensors& weights, const std::string& name,
                 std::int64_t axis, std::size_t place, float factor) {
  const auto found = weights.find(name);
  if (found == weights.end()) return;
  TensorData& tensor = found->second;
  const auto columns =
      static_cast<std::size_t>(tensor.shape.size() == 1 ? 1 : tensor.shape[1]);
  float* values = tensor.data<float>();
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.elements());
       ++i) {
    if ((axis == 0 ? i / columns : i % columns) == place) values[i] *= factor;
  }
}

void ScaleCross(NamedTensors& weights, const std::string& block,
                std::size_t place, float factor) {
  ScaleWeight(weights, block + ".cross.query.weight", 0, place, factor);
  ScaleWeight(weights, block + ".cross.query.bias", 0, place, factor);
  ScaleWeight(weights, block + ".cross.output.weight", 1, place, factor);
}

// The larger network's weights, 0 wherever what goes is written, beside norms.
NamedTensors Masked(const Architecture& larger, NamedTensors weights,
                    const std::vector<bool>& kept, const Importance& scores) {
  for (std::size_t c = 0; c < kept.size(); ++c) {
    if (kept[c]) continue;
    for (const char* table : {"embedding", "position", "target_position"}) {
      ScaleWeight(weights, table + std::string(".weight"), 1, c, 0);
    }
    ScaleWeight(weights, "input.weight", 0, c, 0);
    ScaleWeight(weights, "input.bias", 0, c, 0);
  }
  for (std::size_t i = 0; i < larger.decoder.size(); ++i) {
    if (!larger.decoder[i].cross) continue;
    const std::string block = BlockName("decoder", i);
    const std::int64_t heads = larger.decoder[i].cross->heads;
    const std::vector<double>& cross = scores.cross.at(block);
    const std::int64_t of_head = kBefore / heads;
    for (std::int64_t head = 0; head < heads; ++head) {
      const auto first = cross.begin() + head * of_head;
      const std::vector<bool> stay =
          AmongLargest({first, first + of_head}, kAfter / heads);
      for (std::size_t e = 0; e < stay.size(); ++e) {
        if (stay[e]) continue;
        ScaleCross(weights, block, static_cast<std::size_t>(head * of_head) + e,
                   0);
      }
    }
  }
  return weights;
}

template <typename Ops>
at::Tensor LogitsOf(Ops& ops, const Architecture& architecture,
                    const NetworkCase& one, const TaskData& data,
                    const Batch& rows) {
  const NetworkBatch batch = MakeNetworkBatch(data, one.task, rows, at::kCPU);
  return Transformer(ops, architecture, one.task, batch.input, batch.target);
}

class Channels : public testing::TestWithParam<NetworkCase> {};

// The narrower network computes what the masked one does, in every kind.
TEST_P(Channels, EqualTheMaskedNetwork) {
  const NetworkCase& one = GetParam();
  const Architecture& larger = one.architecture;
  const Architecture smaller = Narrower(larger);
  const NamedTensors weights = NoisyWeights(one);
  const TaskData data = RandomExamples(one.task, 6, 1);
  const at::NoGradGuard no_grad;
  for (const char* criterion : {"taylor", "norm", "random"}) {
    Importance scores;
    NamedTensors cut;
    {
      const at::AutoGradMode gradients(true);
      scores = FindImportance(larger, one.task, weights, data, criterion, 7);
      cut = ShrinkNetwork(larger, smaller, one.task, weights, data,
                          {.importance = criterion}, 7);
    }
    CheckWeights(cut, smaller, one.task, "cut");
    const std::vector<bool> kept = AmongLargest(scores.channels, kAfter);
    at::Tensor mask = at::zeros({kBefore}, at::kFloat);
    for (std::size_t c = 0; c < kept.size(); ++c) {
      mask[static_cast<std::int64_t>(c)] = kept[c] ? 1 : 0;
    }
    StoredWeights masked(Masked(larger, weights, kept, scores), at::kCPU);
    StoredWeights narrow(cut, at::kCPU);
    MaskedOps masked_ops(masked, mask);
    EagerOps narrow_ops(narrow);
    for (const Batch& rows : OrderedBatches(data, 4)) {
      const at::Tensor a = LogitsOf(masked_ops, larger, one, data, rows);
      const at::Tensor b = LogitsOf(narrow_ops, smaller, one, data, rows);
      EXPECT_LT((a - b).abs().max().item<double>(),
                1e-5 * (1 + a.abs().max().item<double>()))
          << criterion;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Channels, testing::ValuesIn(Cases()),
                         [](const auto& info) {
                           return std::to_string(info.index) + "_" +
                                  TestName(info.param);
                         });

// The sum over batches of |dL/dm|, and of its square, by central differences.
struct Derivatives {
  double absolute = 0;
  double squared = 0;
};
Derivatives Differences(const NetworkCase& one, const TaskData& data,
                        const std::function<NamedTensors(float)>& scaled) {
  constexpr float kStep = 0.02F;
  StoredWeights more(scaled(1 + kStep), at::kCPU);
  StoredWeights less(scaled(1 - kStep), at::kCPU);
  EagerOps more_ops(more);
  EagerOps less_ops(less);
  Derivatives sums;
  const at::NoGradGuard no_grad;
  for (const Batch& rows : OrderedBatches(data, kBatch)) {
    const NetworkBatch batch = MakeNetworkBatch(data, one.task, rows, at::kCPU);
    const auto loss = [&](EagerOps& ops) {
      const at::Tensor logits =
          LogitsOf(ops, one.architecture, one, data, rows).to(at::kDouble);
      return at::cross_entropy_loss(logits.flatten(0, -2),
                                    batch.labels.flatten(), {},
                                    at::Reduction::Mean, kNoLabel)
          .item<double>();
    };
    const double slope = (loss(more_ops) - loss(less_ops)) / (2 * kStep);
    sums.absolute += std::abs(slope);
    sums.squared += slope * slope;
  }
  return sums;
}

// A mask on all that read the stream, or on a dimension of cross-attention.
TEST(ChannelImportance, IsTheDerivativeByMasks) {
  for (const NetworkCase& one :
       {EncoderCase("full", {kBefore}, Precision::kF32),
        DecoderCase("local:3",
                    {kBefore, Positions::kRotary, Norm::kRms, NormPlace::kPost},
                    Precision::kF32),
        TranslationCase({kBefore}, Precision::kF32)}) {
    const NamedTensors weights = NoisyWeights(one);
    const TaskData data = RandomExamples(one.task, 20, 2);
    const auto find = [&](const char* criterion) {
      return FindImportance(one.architecture, one.task, weights, data,
                            criterion, 0);
    };
    const Importance taylor = find("taylor");
    const Importance fisher = find("fisher");
    const auto expect = [&](const std::vector<double>& scores,
                            const std::vector<double>& squares, auto scale) {
      const double largest = *std::max_element(scores.begin(), scores.end());
      const double most = *std::max_element(squares.begin(), squares.end());
      for (std::size_t i = 0; i < kBefore; i += 5) {
        const Derivatives exact = Differences(one, data, [&](float m) {
          NamedTensors scaled = weights;
          scale(scaled, i, m);
          return scaled;
        });
        EXPECT_NEAR(scores[i], exact.absolute, 0.01 * largest) << one.name;
        EXPECT_NEAR(squares[i], exact.squared, 0.01 * most) << one.name;
      }
    };
    expect(taylor.channels, fisher.channels,
           [&](NamedTensors& scaled, std::size_t c, float m) {
             for (const auto& [name, tensor] : weights) {
               const bool reads = name == "classifier.weight" ||
                                  name == "embedding.weight" ||
                                  name.ends_with(".query.weight") ||
                                  name.ends_with(".key.weight") ||
                                  name.ends_with(".value.weight") ||
                                  name.ends_with(".up.weight");
               const bool looks_up = name == "embedding.weight" &&
                                     one.architecture.decoder.empty();
               if (reads && !looks_up) ScaleWeight(scaled, name, 1, c, m);
             }
           });
    if (one.architecture.decoder.empty() || one.architecture.encoder.empty()) {
      EXPECT_TRUE(taylor.cross.empty());
      continue;
    }
    expect(taylor.cross.at("decoder.1"), fisher.cross.at("decoder.1"),
           [](NamedTensors& scaled, std::size_t e, float m) {
             ScaleCross(scaled, "decoder.1", e, m);
           });
  }
}

// What nothing reads is worth nothing, and goes first.
TEST(ChannelImportance, OfWhatNothingReadsIsZero) {
  NetworkCase one = EncoderCase("full", {kBefore}, Precision::kF32);
  for (BlockSpec& block : one.architecture.encoder) {
    block.feed_forward.activation = Activation::kSwiglu;
  }
  NamedTensors weights = NoisyWeights(one);
  for (const std::string& reader : StreamReaders(one.architecture)) {
    ScaleWeight(weights, reader + ".weight", 1, 9, 0);
  }
  const TaskData data = RandomExamples(one.task, 8, 2);
  for (const char* criterion : {"taylor", "fisher", "norm"}) {
    const std::vector<double> scores =
        FindImportance(one.architecture, one.task, weights, data, criterion, 0)
            .channels;
    ASSERT_EQ(scores.size(), std::size_t{kBefore});
    for (std::size_t c = 0; c < scores.size(); ++c) {
      EXPECT_EQ(scores[c] == 0, c == 9) << criterion << " " << c;
    }
  }
}

// By hand: a network of one block whose stream is read by layers with one
// weight of 2 in each column.
TEST(ChannelImportance, OfNormIsTheLengthOfWhatReadersAdd) {
  NetworkCase one{"",
                  {{kBefore}, {BlockOf("full", 4, kBefore, Precision::kF32)}},
                  ClassifierShape(50, kBefore, 1)};
  NamedTensors weights = NoisyWeights(one);
  std::vector<std::string> readers = StreamReaders(one.architecture);
  EXPECT_THAT(readers,
              testing::UnorderedElementsAre(
                  "encoder.0.attention.query", "encoder.0.attention.key",
                  "encoder.0.attention.value", "encoder.0.feed_forward.up",
                  "classifier"));
  for (const std::string& reader : readers) {
    float* matrix = weights.at(reader + ".weight").data<float>();
    for (std::int64_t i = 0; i < kBefore * kBefore; ++i) {
      matrix[i] = i % (kBefore + 1) == 0 ? 2 : 0;
    }
  }
  // One token each, so the mean over tokens is the final norm's output; norms'
  // gains are 0 and biases 3: each of five readers reads 3 and adds 6.
  for (auto& [name, tensor] : weights) {
    if (name.find("norm") == std::string::npos) continue;
    std::fill_n(tensor.data<float>(), kBefore,
                name.ends_with(".bias") ? 3.F : 0.F);
  }
  const TaskData data = RandomExamples(one.task, 7, 2);
  for (const double score :
       FindImportance(one.architecture, one.task, weights, data, "norm", 0)
           .channels) {
    EXPECT_NEAR(score, std::sqrt(7 * 5 * 36), 1e-4);
  }
}

TEST(ChannelImportance, ByChanceFollowsTheSeed) {
  const NetworkCase one = TranslationCase({kBefore}, Precision::kF32);
  const auto draw = [&](std::uint64_t seed) {
    return FindImportance(one.architecture, one.task, {}, {}, "random", seed);
  };
  EXPECT_EQ(draw(1).channels, draw(1).channels);
  EXPECT_NE(draw(1).channels, draw(2).channels);
  EXPECT_EQ(draw(1).cross.at("decoder.0").size(), std::size_t{kBefore});
}

TEST(ChannelRefusals, SayWhatWouldBeRight) {
  const auto message = [](const Architecture& larger,
                          const Architecture& smaller) -> std::string {
    try {
      CheckCanShrink(larger, smaller);
      CheckArchitecture(smaller, "smaller");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "";
  };
  using testing::HasSubstr;
  const auto larger = TranslationCase({kBefore}, Precision::kF32).architecture;
  Architecture smaller = Narrower(larger);
  EXPECT_EQ(message(larger, smaller), "");
  EXPECT_THAT(message(smaller, larger),
              HasSubstr("d_model is 20, and 32 is asked for"));
  smaller.stem.d_model = 18;
  EXPECT_THAT(message(larger, smaller),
              HasSubstr("4 does not divide d_model 18"));
  smaller = larger;
  smaller.stem.d_model = kAfter;
  EXPECT_THAT(message(larger, smaller), HasSubstr("heads of dimension 8"));
  smaller = Narrower(larger);
  smaller.stem.norm = Norm::kRms;
  EXPECT_THAT(message(larger, smaller), HasSubstr("in more than d_model"));
  Architecture fixed = larger;
  fixed.stem.positions = Positions::kSinusoidal;
  EXPECT_THAT(message(fixed, Narrower(fixed)),
              HasSubstr("learned or rotary positions"));
}

}  // namespace
}  // namespace hone
