#include "space/base/file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "space/base/error.h"

namespace hone {
namespace {

TEST(WriteFileAtomic, ReplacesAndLeavesNothingBeside) {
  const ScratchFolder folder;
  const auto path = folder / "a/b.txt";
  WriteFileAtomic(path, "one");
  WriteFileAtomic(path, std::string("two\0three", 9));
  EXPECT_EQ(ReadFile(path), std::string("two\0three", 9));
  int files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(folder / "a")) {
    ++files;
  }
  EXPECT_EQ(files, 1);
}

TEST(WriteFileAtomic, NamesThePathOnFailure) {
  const ScratchFolder folder;
  WriteFileAtomic(folder / "file", "x");
  try {
    WriteFileAtomic(folder / "file/below", "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kResource);
    EXPECT_NE(std::string(error.what()).find("below"), std::string::npos);
  }
}

TEST(ReadFile, RefusesMissingAndLarge) {
  const ScratchFolder folder;
  EXPECT_THROW(ReadFile(folder / "none"), Error);
  WriteFileAtomic(folder / "big", "123456");
  EXPECT_THROW(ReadFile(folder / "big", 5), Error);
}

// The child tries the lock while the parent holds it.
int TryInChild(const std::filesystem::path& path, FileLock::Mode mode) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      const FileLock lock = FileLock::TryAcquire(path, mode);
      _exit(0);
    } catch (const Error& error) {
      _exit(error.code() == ErrorCode::kLocked ? 7 : 1);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST(FileLock, ExcludesOtherProcesses) {
  const ScratchFolder folder;
  const auto path = folder / "lock";
  {
    const FileLock held = FileLock::Acquire(path, FileLock::Mode::kExclusive);
    EXPECT_EQ(TryInChild(path, FileLock::Mode::kExclusive), 7);
    EXPECT_EQ(TryInChild(path, FileLock::Mode::kShared), 7);
  }
  EXPECT_EQ(TryInChild(path, FileLock::Mode::kExclusive), 0);
  const FileLock shared = FileLock::Acquire(path, FileLock::Mode::kShared);
  EXPECT_EQ(TryInChild(path, FileLock::Mode::kShared), 0);
  EXPECT_EQ(TryInChild(path, FileLock::Mode::kExclusive), 7);
}

}  // namespace
}  // namespace hone
