#pragma once

#include "space/cost.h"

namespace hone {

constexpr TaskShape ClassifierShape(std::int64_t vocabulary,
                                    std::int64_t classes,
                                    std::int64_t max_tokens) {
  TaskShape shape;
  shape.vocabulary = vocabulary;
  shape.classes = classes;
  shape.max_tokens = max_tokens;
  return shape;
}

// Images: vectors of `features` numbers.
constexpr TaskShape FeatureShape(std::int64_t features, std::int64_t classes,
                                 std::int64_t max_tokens) {
  TaskShape shape = ClassifierShape(0, classes, max_tokens);
  shape.features = features;
  return shape;
}

constexpr TaskShape DecoderShape(std::int64_t vocabulary,
                                 std::int64_t max_tokens) {
  TaskShape shape = ClassifierShape(vocabulary, 0, max_tokens);
  shape.topology = Topology::kDecoder;
  return shape;
}

constexpr TaskShape TranslationShape(std::int64_t vocabulary,
                                     std::int64_t max_tokens,
                                     std::int64_t max_target_tokens) {
  TaskShape shape = ClassifierShape(vocabulary, 0, max_tokens);
  shape.topology = Topology::kEncoderDecoder;
  shape.max_target_tokens = max_target_tokens;
  return shape;
}

}  // namespace hone
