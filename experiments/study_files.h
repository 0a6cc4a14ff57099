#pragma once

#include <filesystem>
#include <string>

#include "eval/measurement.h"
#include "experiments/search_spec.h"

namespace hone {

// What belongs to a study file: STUDY.lock beside it, held exclusively by the
// one search that writes, and the folder that stages file their results in
// ("gloss.artifacts" for "gloss.db").
std::filesystem::path DefaultStudyPath(const SearchSpec& spec);
std::filesystem::path LockPath(const std::filesystem::path& study);
std::filesystem::path ArtifactsPath(const std::filesystem::path& study);
// Where `hone search --controls` puts the control of a study: "gloss-random.db"
// for "gloss.db".
std::filesystem::path ControlPath(const std::filesystem::path& study,
                                  const std::string& algorithm);

// Where a stored file is, below `artifacts`. Throws Error{kIntegrity} when it
// does not have its hash, Error{kNotFound} when it was not kept.
std::filesystem::path CheckedPath(const Artifact& file,
                                  const std::filesystem::path& artifacts);

// Makes `link` another name of `folder`, in the same place; nothing where it is
// there. Throws Error{kResource}.
void LinkFolder(const std::filesystem::path& folder,
                const std::filesystem::path& link);

// One for each core that this process may use.
int DefaultWorkers();

// Makes the folder that `file` is to stand in. Throws Error{kResource}.
void MakeParentFolder(const std::filesystem::path& file);

}  // namespace hone
