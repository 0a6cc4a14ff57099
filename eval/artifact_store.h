#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "eval/measurement.h"
#include "space/base/json.h"

namespace hone {

// What one stage made: files by name, each with its hash.
struct StageResult {
  std::filesystem::path folder;
  std::vector<Artifact> artifacts;  // role = file name, path from the root
  // The artifact of that name. Throws Error{kInternal} when there is none.
  const Artifact& Get(const std::string& name) const;
  std::filesystem::path PathOf(const std::string& name) const;
};

// Files the results of pure stages under the hash of what went in, so that each
// is made once: ROOT/KIND/HASH/..., with a manifest that is written last. A
// stage without a sound manifest, or with a file that no longer matches its
// hash, is not there. Safe for several threads and processes that file
// different stages; two that file the same one write the same bytes.
class ArtifactStore {
 public:
  explicit ArtifactStore(std::filesystem::path root);
  const std::filesystem::path& root() const { return root_; }

  // `inputs` names everything that the result depends on.
  std::optional<StageResult> Find(const std::string& kind,
                                  const Json& inputs) const;
  // Durable when it returns. Throws Error{kResource}.
  StageResult Put(const std::string& kind, const Json& inputs,
                  const std::map<std::string, std::string>& files) const;
  // Forgets a result and its files; nothing where it is gone.
  // Throws Error{kResource}.
  void Remove(const StageResult& result) const;

 private:
  std::filesystem::path Folder(const std::string& kind,
                               const Json& inputs) const;
  std::filesystem::path root_;
};

}  // namespace hone
