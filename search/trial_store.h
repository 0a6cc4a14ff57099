#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "search/objective.h"
#include "search/trial.h"

namespace hone {

// The study's row: what it searches and for what.
struct StudyInfo {
  std::string name;
  Json spec;              // resolved, as FieldsToJson of every section
  std::string spec_hash;  // SHA-256 of what may not change between runs
  std::uint64_t seed = 0;
  std::vector<Objective> objectives;
  std::vector<Constraint> constraints;
  std::string program_version;
};

// Where trials live. Append-only: a finished trial never changes.
class TrialStore {
 public:
  virtual ~TrialStore() = default;
  // Writes the study's row, once.
  virtual void CreateStudy(const StudyInfo& info) = 0;
  // Empty when CreateStudy was never called.
  virtual std::optional<StudyInfo> LoadStudy() const = 0;
  // Replaces only the resolved spec's text (more trials, other workers).
  virtual void UpdateSpec(const Json& spec) = 0;
  // One durable transaction: after a crash all of them are there or none.
  // Throws Error{kInternal} unless their numbers go on where those stored end.
  virtual void Append(const std::vector<Trial>& trials) = 0;
  // All trials by number. Throws Error{kIntegrity} when a row fails its hash.
  virtual std::vector<Trial> LoadTrials() const = 0;
};

std::unique_ptr<TrialStore> MakeMemoryTrialStore();

}  // namespace hone
