#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "search/trial_filter.h"
#include "search/trial_store.h"

namespace hone {

// A study in one SQLite file (docs/trial_store.md). One process writes; readers
// may look on at any time. Every row that feeds a result is checked against its
// hash when it is read.
class SqliteTrialStore final : public TrialStore {
 public:
  enum class Mode {
    kRead,   // the file must be there; nothing is written
    kWrite,  // made when missing
  };
  // Throws Error{kNotFound} when there is no such file (kRead);
  // Error{kIntegrity} when it is damaged or no study of ours, or of a newer
  // version.
  SqliteTrialStore(const std::filesystem::path& path, Mode mode);
  ~SqliteTrialStore() override;

  void CreateStudy(const StudyInfo& info) override;
  std::optional<StudyInfo> LoadStudy() const override;
  void UpdateSpec(const Json& spec) override;
  void Append(const std::vector<Trial>& trials) override;
  std::vector<Trial> LoadTrials() const override;
  // Those of these numbers alone, in time that grows with them: each is checked
  // against its hash, and that no row of the study is missing. Throws
  // Error{kIntegrity} when one is not there.
  std::vector<Trial> LoadTrials(const std::vector<std::int64_t>& numbers) const;

  // Of a study that was begun.
  std::int64_t CountTrials() const;
  // Numbers of the trials in view pareto_front, ascending. Sorts the scores, as
  // the view's comparison of all pairs takes seconds from 10,000 trials on.
  std::vector<std::int64_t> FrontNumbers() const;
  // Numbers of the trials that satisfy the filter, ascending.
  std::vector<std::int64_t> NumbersWhere(const TrialFilter& filter) const;
  // What SQLite itself finds wrong with its pages, indices and references.
  std::vector<std::string> StructuralDefects() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What is wrong with a study file, one sentence each; empty when all is well.
// Reads every page and every row.
std::vector<std::string> CheckStudyFile(const std::filesystem::path& path);

// "3.40.1, journal TRUNCATE": the library and how it is used here.
std::string SqliteDescription();

}  // namespace hone
