#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace hone {

// The whole file. Throws Error{kNotFound}, or Error{kUsage} above `max_bytes`.
std::string ReadFile(const std::filesystem::path& path,
                     std::uintmax_t max_bytes = std::uintmax_t{1} << 34);

// Durable and atomic: writes beside the target, fsyncs, renames, fsyncs the
// folder. Readers see the old file or the new one, never a part. Throws
// Error{kResource} naming the path (no space, no permission).
void WriteFileAtomic(const std::filesystem::path& path, std::string_view bytes);

// A folder that is gone, with what is in it, on destruction.
class ScratchFolder {
 public:
  // A new one below the system's folder for temporary files. Throws
  // Error{kResource} when it cannot be made.
  ScratchFolder();
  // One of this name, which whoever writes there makes. Removes what is there.
  explicit ScratchFolder(std::filesystem::path path);
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

// A kernel-released advisory lock (flock) on a file that is created if missing.
// Held until destruction; a killed process releases it.
class FileLock {
 public:
  enum class Mode { kShared, kExclusive };
  // Blocks until granted.
  static FileLock Acquire(const std::filesystem::path& path, Mode mode);
  // Throws Error{kLocked} naming the owner's pid when another process holds it.
  static FileLock TryAcquire(const std::filesystem::path& path, Mode mode);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace hone
