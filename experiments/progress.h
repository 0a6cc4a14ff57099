#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <ostream>
#include <string>

namespace hone {

// Tells a person how a search goes: one line that is rewritten on a terminal,
// a plain line now and then elsewhere. Safe to call from any thread.
class ProgressReporter {
 public:
  ProgressReporter(std::ostream& out, bool terminal);
  // Ends the rewritten line.
  ~ProgressReporter();

  // What the running batch is at: as an evaluator's ProgressCallback.
  void OnPhase(const std::string& phase, double done, double total);
  std::function<void(const std::string&, double, double)> PhaseCallback() {
    return [this](const std::string& phase, double done, double total) {
      OnPhase(phase, done, total);
    };
  }
  // `done` of `total` trials of the study are finished, `failed` of them in
  // vain. To be called at the start and after each batch: what the first one
  // took, set-up included, says nothing of the others, so that only from the
  // second on the time that is left is estimated.
  void OnTrials(std::int64_t done, std::int64_t total, std::int64_t failed);
  // Clears the rewritten line, so that other text can be written.
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string Line() const;
  std::string Estimate() const;
  void Draw(bool always);

  std::mutex mutex_;
  std::ostream& out_;
  const bool terminal_;
  Clock::time_point last_draw_;
  std::int64_t first_ = -1;  // trials that were there at the start
  std::int64_t warm_ = -1;   // trials behind the first batch
  Clock::time_point warm_time_;
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
  std::int64_t failed_ = 0;
  std::int64_t next_plain_ = 0;
  std::string phase_;
  double phase_share_ = 0;
  std::size_t drawn_ = 0;
};

// "about 4 min", "about 30 s".
std::string DurationText(double seconds);

}  // namespace hone
