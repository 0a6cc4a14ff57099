#include "experiments/model_card.h"

#include <type_traits>

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/hash.h"

namespace hone {
namespace {

constexpr std::uintmax_t kMaxCardBytes = std::uintmax_t{16} << 20;
constexpr int kCardVersion = 5;

template <typename Options>
void FieldsFromJson(const Json& json, Options& options) {
  Options::Fields(options, [&](const char* name, auto& field, const FieldRule&,
                               const char*) { json.at(name).get_to(field); });
}

std::map<std::string, Metric> MetricsFromJson(const Json& json) {
  std::map<std::string, Metric> metrics;
  for (const auto& [name, item] : json.items()) {
    Metric& metric = metrics[name];
    item.at("value").get_to(metric.value);
    item.at("unit").get_to(metric.unit);
    if (item.contains("low")) metric.low = item["low"].get<double>();
    if (item.contains("high")) metric.high = item["high"].get<double>();
  }
  return metrics;
}

}  // namespace

Json ToJson(const std::map<std::string, Metric>& metrics) {
  Json json = Json::object();
  for (const auto& [name, metric] : metrics) {
    json[name] = {{"value", metric.value}, {"unit", metric.unit}};
    if (metric.low) json[name]["low"] = *metric.low;
    if (metric.high) json[name]["high"] = *metric.high;
  }
  return json;
}

Json ToJson(const ModelCard& card) {
  return {{"card_version", kCardVersion},
          {"study", card.study},
          {"trial", card.trial},
          {"spec_hash", card.spec_hash},
          {"program_version", card.program_version},
          {"architecture", ToJson(card.architecture)},
          {"task", FieldsToJson(card.task)},
          {"shape",
           {{"vocabulary", card.shape.vocabulary},
            {"features", card.shape.features},
            {"classes", card.shape.classes},
            {"max_tokens", card.shape.max_tokens},
            {"max_target_tokens", card.shape.max_target_tokens}}},
          {"measurement", FieldsToJson(card.measurement)},
          {"classes", card.classes},
          {"pixels",
           {{"mean", card.pixels.mean}, {"deviation", card.pixels.deviation}}},
          {"sound_rate", card.sound_rate},
          {"metrics", ToJson(card.metrics)},
          {"sha256", card.sha256}};
}

ModelCard ModelCardFromJson(const Json& json, const std::string& where) {
  ModelCard card;
  try {
    if (json.at("card_version") != kCardVersion) {
      throw Error(ErrorCode::kIntegrity, where + ": card_version is " +
                                             json.at("card_version").dump() +
                                             "; this program reads version " +
                                             std::to_string(kCardVersion));
    }
    json.at("study").get_to(card.study);
    json.at("trial").get_to(card.trial);
    json.at("spec_hash").get_to(card.spec_hash);
    json.at("program_version").get_to(card.program_version);
    card.architecture = ArchitectureFromJson(json.at("architecture"), where);
    FieldsFromJson(json.at("task"), card.task);
    FieldsFromJson(json.at("measurement"), card.measurement);
    const Json& shape = json.at("shape");
    shape.at("vocabulary").get_to(card.shape.vocabulary);
    card.shape.topology = TopologyOf(card.architecture);
    shape.at("features").get_to(card.shape.features);
    shape.at("max_target_tokens").get_to(card.shape.max_target_tokens);
    shape.at("classes").get_to(card.shape.classes);
    shape.at("max_tokens").get_to(card.shape.max_tokens);
    json.at("classes").get_to(card.classes);
    json.at("pixels").at("mean").get_to(card.pixels.mean);
    json.at("pixels").at("deviation").get_to(card.pixels.deviation);
    json.at("sound_rate").get_to(card.sound_rate);
    card.metrics = MetricsFromJson(json.at("metrics"));
    json.at("sha256").get_to(card.sha256);
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kIntegrity,
                where + ": not a model card: " + error.what());
  }
  if (card.shape.classes != static_cast<std::int64_t>(card.classes.size())) {
    throw Error(ErrorCode::kIntegrity,
                where + ": shape.classes and the list of classes disagree");
  }
  return card;
}

ModelCard ReadModelFolder(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kCardFile;
  const std::string where = path.string();
  ModelCard card =
      ModelCardFromJson(ParseJson(ReadFile(path, kMaxCardBytes), where), where);
  if (!card.sha256.contains(kModelFile)) {
    throw Error(ErrorCode::kIntegrity, where + ": names no " + kModelFile);
  }
  for (const auto& [name, hash] : card.sha256) {
    const bool known =
        name == kModelFile || name == kEncoderFile || name == kVocabularyFile;
    if (!known || hash != Sha256File(folder / name)) {
      throw Error(
          ErrorCode::kIntegrity,
          (folder / name).string() +
              ": does not match its hash in card.json; export it again");
    }
  }
  return card;
}

}  // namespace hone
