#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "eval/export/onnx_export.h"
#include "eval/latency.h"
#include "eval/measurement.h"
#include "space/architecture.h"
#include "space/cost.h"
#include "train/data/task.h"
#include "train/data/task_options.h"

namespace hone {

inline constexpr char kVocabularyFile[] = "vocabulary";
inline constexpr char kCardFile[] = "card.json";

// What an exported folder says about its model: card.json beside model.onnx,
// the encoder.onnx of an encoder-decoder, and the vocabulary of a text task.
struct ModelCard {
  std::string study;
  std::int64_t trial = 0;
  std::string spec_hash;
  std::string program_version;
  Architecture architecture;
  TaskOptions task;
  TaskShape shape;
  MeasurementOptions measurement;
  std::vector<std::string> classes;
  PixelScale pixels;
  std::int64_t sound_rate = 0;                // samples a second, of sounds
  std::map<std::string, Metric> metrics;      // on the dev split, when measured
  std::map<std::string, std::string> sha256;  // file name -> hash
};

Json ToJson(const ModelCard& card);
// Throws Error{kIntegrity} naming `where`.
ModelCard ModelCardFromJson(const Json& json, const std::string& where);

// Reads DIR/card.json and checks the hash of every file that it names.
// Throws Error{kNotFound} when there is no card, Error{kIntegrity}.
ModelCard ReadModelFolder(const std::filesystem::path& folder);

// Metrics as {"accuracy": {"unit": "1", "value": 0.79, "low": .., "high": ..}}.
Json ToJson(const std::map<std::string, Metric>& metrics);

}  // namespace hone
