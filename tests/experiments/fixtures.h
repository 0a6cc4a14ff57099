#pragma once

#include <cstdint>

#include "search/trial.h"
#include "search/trial_store.h"

namespace hone {

// A study of accuracy against latency, and trials of it.

inline Trial Complete(std::int64_t number, double accuracy, double latency_ms) {
  Trial trial;
  trial.number = number;
  trial.architecture = {{64}, {{MultiHead(2), {128}, Precision::kW8A8}}};
  Measurement measurement;
  measurement.metrics = {
      {"accuracy", {accuracy, "1", {}, {}}},
      {"latency_ms", {latency_ms, "ms", latency_ms - 0.1, latency_ms + 0.1}}};
  trial.outcome = measurement;
  return trial;
}

inline Trial Failed(std::int64_t number) {
  Trial trial = Complete(number, 0, 0);
  trial.outcome = Failure{"diverged", "the loss was\x1b[2J not finite"};
  return trial;
}

inline StudyInfo ExampleStudy() {
  StudyInfo study;
  study.name = "example";
  study.objectives = {{"accuracy", Direction::kMaximize},
                      {"latency_ms", Direction::kMinimize}};
  return study;
}

}  // namespace hone
