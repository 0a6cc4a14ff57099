#pragma once

#include <filesystem>
#include <ostream>
#include <string>

#include "experiments/build_study.h"
#include "experiments/model_card.h"
#include "search/trial.h"

namespace hone {

// What a trial's exported folder says of it. Throws Error{kNotFound} when the
// trial failed.
ModelCard CardOf(const Trial& trial, const SearchSpec& spec,
                 const Workbench& workbench);
// Writes a trial's files, the vocabulary unless it is empty, and last the card
// with their hashes; says on `err` what was written and what it is good for.
// Throws Error{kNotFound} when the trial has no model, Error{kIntegrity} when a
// file of `artifacts` is not what it was.
void WriteModelFolder(const std::filesystem::path& folder, const Trial& trial,
                      const std::filesystem::path& artifacts, ModelCard card,
                      const std::string& vocabulary, std::ostream& err);

}  // namespace hone
