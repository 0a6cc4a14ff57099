#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "search/trial.h"
#include "search/trial_store.h"

namespace hone {

// A stored study, read without writing to it.
struct StudyView {
  StudyInfo info;
  std::vector<Trial> trials;
  std::vector<Trial> front;
};

// All trials, each checked against its hash, and the front. Throws
// Error{kNotFound} when there is no such file or no study in it,
// Error{kIntegrity} when it is damaged.
StudyView ReadStudy(const std::filesystem::path& path);

// The same with only the trials that satisfy `filter`; the front is that of the
// trials left. Throws Error{kUsage} for a bad filter.
StudyView ReadStudy(const std::filesystem::path& path,
                    const std::string& filter);

// The same with the front alone and no other trials, in a small part of the
// time: only trials of the front are checked against their hashes.
StudyView ReadFront(const std::filesystem::path& path);

// What is wrong with a study file, its rows and the files that they name, one
// sentence each; empty when all is well.
std::vector<std::string> FindDefects(const std::filesystem::path& path);

// The trial numbered `number`. Throws Error{kNotFound} naming the range.
const Trial& TrialNumbered(const StudyView& study, std::int64_t number);

}  // namespace hone
