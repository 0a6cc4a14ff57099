#pragma once

#include <string>

namespace hone {

inline constexpr int kHandMadeWidth = 64;

// A network "features" f32 [batch,tokens,64] -> "logits" f32 [batch,tokens]
// whose linear layers are stored in ways that the exporter may not know:
//   w8      weights i8 with a scale for each output, activations float
//   table   codes u4 that choose from a table of 16 numbers
//   packed  four codes of 2 bits in a u8, unpacked by masks
//   signed  weights i8 and activations i8
// and whose last product is of two quantized operands. The weights are small
// whole numbers times a scale.
std::string HandMadeModel();

}  // namespace hone
