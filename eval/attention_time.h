#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/latency.h"
#include "space/architecture.h"

namespace hone {

// Networks of one block each that differ in the kind of attention alone, timed
// in turn: what a kind costs at a length, beside `full`.
struct AttentionTiming {
  Topology topology = Topology::kEncoder;  // kDecoder: the causal forms
  std::int64_t d_model = 64;
  std::int64_t heads = 4;
  // Small, so that the block is little more than its attention.
  std::int64_t feed_forward = 8;
  // Positions that the block is built for; at least those that are timed.
  std::int64_t max_tokens = 128;
  // What one training step reads.
  std::int64_t training_batch = 1;
  std::int64_t training_tokens = 128;
};

struct AttentionTime {
  std::string attention;  // as given: "local:16"
  // A forward and a backward pass of the eager interpreter over
  // training_batch x training_tokens.
  Latency training;
  // The exported f32 file: one inference of an encoder, or a decoder that reads
  // the tokens and writes measurement.new_tokens.
  Latency exported;
};

// Results in the order of `words`, each as ParseAttention takes them; one that
// does not fit the number of heads is left out. Weights are untrained, inputs
// random. Files are written below the system's folder for temporary files, and
// removed. Throws Error{kUsage} as ParseAttention does, or for an encoder's
// kind in a decoder.
std::vector<AttentionTime> TimeAttention(Engine& engine,
                                         const std::vector<std::string>& words,
                                         const AttentionTiming& timing,
                                         const MeasurementOptions& measurement);

}  // namespace hone
