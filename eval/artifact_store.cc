#include "eval/artifact_store.h"

#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/hash.h"

namespace hone {
namespace {

constexpr char kManifest[] = "manifest.json";

}  // namespace

const Artifact& StageResult::Get(const std::string& name) const {
  for (const Artifact& artifact : artifacts) {
    if (artifact.role == name) return artifact;
  }
  throw Error(ErrorCode::kInternal, folder.string() + ": no file " + name);
}

std::filesystem::path StageResult::PathOf(const std::string& name) const {
  return folder / Get(name).role;
}

ArtifactStore::ArtifactStore(std::filesystem::path root)
    : root_(std::move(root)) {}

std::filesystem::path ArtifactStore::Folder(const std::string& kind,
                                            const Json& inputs) const {
  return root_ / kind / Sha256(CanonicalJson(inputs)).substr(0, 24);
}

std::optional<StageResult> ArtifactStore::Find(const std::string& kind,
                                               const Json& inputs) const {
  StageResult result{Folder(kind, inputs), {}};
  const std::filesystem::path manifest_path = result.folder / kManifest;
  if (!std::filesystem::exists(manifest_path)) return std::nullopt;
  try {
    const Json manifest =
        ParseJson(ReadFile(manifest_path), manifest_path.string());
    if (manifest.at("inputs") != inputs) return std::nullopt;
    for (const auto& [name, entry] : manifest.at("files").items()) {
      const Artifact artifact{
          name, std::filesystem::relative(result.folder / name, root_).string(),
          entry.at("sha256").get<std::string>(),
          entry.at("bytes").get<std::int64_t>()};
      if (Sha256File(result.folder / name) != artifact.sha256) {
        return std::nullopt;
      }
      result.artifacts.push_back(artifact);
    }
  } catch (const Error&) {
    return std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  return result;
}

StageResult ArtifactStore::Put(
    const std::string& kind, const Json& inputs,
    const std::map<std::string, std::string>& files) const {
  StageResult result{Folder(kind, inputs), {}};
  Json manifest = {{"inputs", inputs}, {"files", Json::object()}};
  for (const auto& [name, bytes] : files) {
    WriteFileAtomic(result.folder / name, bytes);
    const Artifact artifact{
        name, std::filesystem::relative(result.folder / name, root_).string(),
        Sha256(bytes), static_cast<std::int64_t>(bytes.size())};
    manifest["files"][name] = {{"sha256", artifact.sha256},
                               {"bytes", artifact.bytes}};
    result.artifacts.push_back(artifact);
  }
  WriteFileAtomic(result.folder / kManifest, manifest.dump(2) + "\n");
  return result;
}

void ArtifactStore::Remove(const StageResult& result) const {
  std::error_code status;
  // The manifest first: without it there is no result.
  std::filesystem::remove(result.folder / kManifest, status);
  if (!status) std::filesystem::remove_all(result.folder, status);
  if (status) {
    throw Error(
        ErrorCode::kResource,
        result.folder.string() + ": cannot be removed: " + status.message());
  }
}

}  // namespace hone
