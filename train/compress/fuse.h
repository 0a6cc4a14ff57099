#pragma once

#include "space/architecture.h"
#include "space/base/tensor_data.h"

namespace hone {

// Folds norms into the layers that read them: with gain g and bias c of a norm,
// each reader W, b becomes W diag(g), b + W c, and the norm has gain 1 and bias
// 0. The network computes what it did before; a norm stays a norm in the file.
// Folded are, of a network with norms before its sublayers,
//   attention_norm     into query, key and value
//   cross_norm         into the query of cross attention
//   feed_forward_norm  into up and gate
//   encoder.norm       into the classifier (the mean over tokens lets an affine
//                      map pass), or key and value of all cross attentions
//   decoder.norm       into the output layer
// Left alone are norms behind a residual sum, which feed the next sum too, and
// decoder.norm before a tied output: the embedding's rows are looked up as
// well. A layer that is a product of two is folded into its first.
// Weights are f32, by the names that the network asks for.
NamedTensors FuseNorms(const Architecture& architecture, NamedTensors weights);

}  // namespace hone
