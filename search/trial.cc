#include "search/trial.h"

#include <bit>

#include "space/base/hash.h"
#include "space/base/rng.h"

namespace hone {
namespace {

Json Digestible(const Metric& metric) {
  Json json = {{"bits", BitsOf(metric.value)}, {"unit", metric.unit}};
  if (metric.low) json["low"] = BitsOf(*metric.low);
  if (metric.high) json["high"] = BitsOf(*metric.high);
  return json;
}

Json Digestible(const Measurement& measurement) {
  Json metrics = Json::object();
  for (const auto& [name, metric] : measurement.metrics) {
    if (!IsWallClock(name)) metrics[name] = Digestible(metric);
  }
  Json rounds = Json::array();
  for (const double round : measurement.latency_rounds_ms) {
    rounds.push_back(BitsOf(round));
  }
  Json kernels = Json::array();
  for (const KernelCount& kernel : measurement.kernels) {
    kernels.push_back(
        {kernel.layer, kernel.primitive, kernel.precision, kernel.count});
  }
  Json artifacts = Json::array();
  for (const Artifact& artifact : measurement.artifacts) {
    artifacts.push_back({artifact.role, artifact.sha256});
  }
  return {{"metrics", metrics},
          {"rounds", rounds},
          {"kernels", kernels},
          {"artifacts", artifacts}};
}

Json Digestible(const Failure& failure) {
  return {{"code", failure.code}, {"reason", failure.reason}};
}

Json ForPrograms(const Failure& failure) {
  return {{"failure", {{"code", failure.code}, {"reason", failure.reason}}}};
}

Json ForPrograms(const Measurement& measurement) {
  Json metrics = Json::object();
  for (const auto& [name, metric] : measurement.metrics) {
    metrics[name] = {{"value", metric.value}, {"unit", metric.unit}};
    if (metric.low) metrics[name]["low"] = *metric.low;
    if (metric.high) metrics[name]["high"] = *metric.high;
  }
  Json kernels = Json::array();
  for (const KernelCount& kernel : measurement.kernels) {
    kernels.push_back({{"layer", kernel.layer},
                       {"primitive", kernel.primitive},
                       {"precision", kernel.precision},
                       {"count", kernel.count}});
  }
  Json artifacts = Json::array();
  for (const Artifact& artifact : measurement.artifacts) {
    artifacts.push_back({{"role", artifact.role},
                         {"path", artifact.path},
                         {"sha256", artifact.sha256},
                         {"bytes", artifact.bytes}});
  }
  return {{"metrics", metrics},
          {"latency_rounds_ms", measurement.latency_rounds_ms},
          {"kernels", kernels},
          {"artifacts", artifacts},
          {"environment", measurement.environment}};
}

}  // namespace

std::string_view Name(TrialState state) {
  return state == TrialState::kComplete ? "complete" : "failed";
}

std::string BitsOf(double value) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto bits = std::bit_cast<std::uint64_t>(value);
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) {
    text += kDigits[bits >> shift & 15];
  }
  return text;
}

std::string TrialDigest(const Trial& trial) {
  const Json json = {
      {"number", trial.number},
      {"architecture", ToJson(trial.architecture)},
      {"seed", trial.seed},
      {"fidelity", Name(trial.fidelity)},
      {"origin", trial.origin},
      {"state", Name(trial.state())},
      {"outcome",
       std::visit([](const auto& outcome) { return Digestible(outcome); },
                  trial.outcome)}};
  return Sha256(CanonicalJson(json));
}

std::string StudyDigest(const std::string& spec_hash,
                        const std::vector<Trial>& trials) {
  std::string text = spec_hash;
  for (const Trial& trial : trials) text += "\n" + TrialDigest(trial);
  return Sha256(text);
}

std::uint64_t TrainingSeed(std::uint64_t study_seed,
                           const Architecture& architecture) {
  return StreamSeed(
      study_seed, 0,
      "training " + ArchitectureHash(WithoutPrecision(architecture)));
}

Json ToJson(const Trial& trial) {
  Json json = std::visit(
      [](const auto& outcome) { return ForPrograms(outcome); }, trial.outcome);
  json["number"] = trial.number;
  Json& architecture = json["architecture"] = ToJson(trial.architecture);
  // ArchitectureHash, without making the text's JSON again.
  json["architecture_hash"] = Sha256(CanonicalJson(architecture));
  json["seed"] = trial.seed;
  json["fidelity"] = Name(trial.fidelity);
  json["origin"] = trial.origin;
  json["state"] = Name(trial.state());
  json["finished_at"] = trial.finished_at;
  return json;
}

}  // namespace hone
