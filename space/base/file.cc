#include "space/base/file.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "space/base/error.h"

namespace hone {
namespace {

[[noreturn]] void ThrowErrno(const std::filesystem::path& path,
                             const std::string& what) {
  throw Error(ErrorCode::kResource,
              path.string() + ": " + what + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags)
      : descriptor_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) ThrowErrno(path, "cannot be opened");
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const { return descriptor_; }
  int Release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

void WriteDurably(const std::filesystem::path& path, std::string_view bytes) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) ThrowErrno(path, "cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(file.get()) != 0) ThrowErrno(path, "cannot be made durable");
}

}  // namespace

std::string ReadFile(const std::filesystem::path& path,
                     std::uintmax_t max_bytes) {
  std::error_code status;
  if (!std::filesystem::is_regular_file(path, status)) {
    throw Error(ErrorCode::kNotFound, path.string() + ": no such file");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, status);
  if (size > max_bytes) {
    throw Error(ErrorCode::kUsage, path.string() + ": " + std::to_string(size) +
                                       " bytes; at most " +
                                       std::to_string(max_bytes) + " are read");
  }
  std::ifstream in(path, std::ios::binary);
  std::string bytes(size, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(size));
  if (!in || static_cast<std::uintmax_t>(in.gcount()) != size) {
    throw Error(ErrorCode::kResource, path.string() + ": cannot be read");
  }
  return bytes;
}

void WriteFileAtomic(const std::filesystem::path& path,
                     std::string_view bytes) {
  static std::atomic<unsigned> counter{0};
  const std::filesystem::path folder =
      path.has_parent_path() ? path.parent_path() : ".";
  std::error_code status;
  std::filesystem::create_directories(folder, status);
  const std::filesystem::path beside =
      folder / ("." + path.filename().string() + "." +
                std::to_string(getpid()) + "." + std::to_string(counter++));
  try {
    WriteDurably(beside, bytes);
    if (rename(beside.c_str(), path.c_str()) != 0) {
      ThrowErrno(path, "cannot be replaced");
    }
  } catch (...) {
    std::filesystem::remove(beside, status);
    throw;
  }
  const Descriptor directory(folder, O_RDONLY | O_DIRECTORY);
  if (fsync(directory.get()) != 0) ThrowErrno(folder, "cannot be made durable");
}

namespace {

int OpenLock(const std::filesystem::path& path) {
  if (path.has_parent_path()) {
    std::error_code status;
    std::filesystem::create_directories(path.parent_path(), status);
  }
  return Descriptor(path, O_RDWR | O_CREAT).Release();
}

int Operation(FileLock::Mode mode) {
  return mode == FileLock::Mode::kShared ? LOCK_SH : LOCK_EX;
}

// The exclusive owner leaves its process number in the file.
void NoteOwner(int descriptor, FileLock::Mode mode) {
  if (mode != FileLock::Mode::kExclusive) return;
  const std::string owner = std::to_string(getpid()) + "\n";
  // Only a courtesy to whoever waits: the lock holds without it.
  if (ftruncate(descriptor, 0) == 0) {
    [[maybe_unused]] const ssize_t written =
        pwrite(descriptor, owner.data(), owner.size(), 0);
  }
}

}  // namespace

ScratchFolder::ScratchFolder() {
  const std::filesystem::path pattern =
      std::filesystem::temp_directory_path() / "hone-XXXXXX";
  std::string made = pattern.string();
  if (mkdtemp(made.data()) == nullptr) {
    ThrowErrno(pattern, "cannot be made as a folder");
  }
  path_ = made;
}

ScratchFolder::ScratchFolder(std::filesystem::path path)
    : path_(std::move(path)) {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

FileLock FileLock::Acquire(const std::filesystem::path& path, Mode mode) {
  FileLock lock(OpenLock(path));
  while (flock(lock.descriptor_, Operation(mode)) != 0) {
    if (errno != EINTR) ThrowErrno(path, "cannot be locked");
  }
  NoteOwner(lock.descriptor_, mode);
  return lock;
}

FileLock FileLock::TryAcquire(const std::filesystem::path& path, Mode mode) {
  FileLock lock(OpenLock(path));
  if (flock(lock.descriptor_, Operation(mode) | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) ThrowErrno(path, "cannot be locked");
    char owner[32] = {};
    const ssize_t size = pread(lock.descriptor_, owner, sizeof owner - 1, 0);
    std::string pid(owner, size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    throw Error(ErrorCode::kLocked,
                path.string() + ": held by another process" +
                    (pid.empty() ? "" : " (pid " + pid + ")") +
                    "; wait for it to end");
  }
  NoteOwner(lock.descriptor_, mode);
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace hone
