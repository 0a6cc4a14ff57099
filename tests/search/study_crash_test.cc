#include <chrono>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "search/sqlite_trial_store.h"
#include "space/base/file.h"
#include "tests/search/fixtures.h"

namespace hone {
namespace {

constexpr std::int64_t kTrials = 64;
constexpr int kKills = 20;

// Studies in turn store each batch at once, or several together.
void RunInFile(const std::filesystem::path& path, int study) {
  SqliteTrialStore store(path, SqliteTrialStore::Mode::kWrite);
  RunTestStudy(store, "nsga2", kTrials, 8, 5,
               std::chrono::milliseconds(study % 2 * 10));
}

// Starts the study in a child and kills it after a random time. Returns whether
// the child had ended by itself.
bool RunAndKill(const std::filesystem::path& path, int study, Rng& rng) {
  const pid_t child = fork();
  if (child == 0) {
    RunInFile(path, study);
    _exit(0);
  }
  std::this_thread::sleep_for(
      std::chrono::microseconds(2000 + rng.Below(60000)));
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status);
}

TEST(Study, SurvivesKillsAtRandomPoints) {
  const ScratchFolder folder;
  const auto undisturbed = MakeMemoryTrialStore();
  RunTestStudy(*undisturbed, "nsga2", kTrials);
  int kills = 0;
  for (int study = 0; kills < kKills && study < 200; ++study) {
    const auto path = folder / (std::to_string(study) + ".db");
    Rng rng(7, study, "kill");
    bool ended = false;
    while (!ended && kills < kKills) {
      ended = RunAndKill(path, study, rng);
      kills += !ended;
    }
    RunInFile(path, study);
    const SqliteTrialStore store(path, SqliteTrialStore::Mode::kRead);
    EXPECT_EQ(DigestOf(store), DigestOf(*undisturbed));
    EXPECT_TRUE(CheckStudyFile(path).empty());
  }
  EXPECT_EQ(kills, kKills);
}

}  // namespace
}  // namespace hone
