#include "experiments/progress.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace hone {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::int64_t kPlainLines = 10;

}  // namespace

ProgressReporter::ProgressReporter(std::ostream& out, bool terminal)
    : out_(out), terminal_(terminal) {}

ProgressReporter::~ProgressReporter() { Clear(); }

void ProgressReporter::OnPhase(const std::string& phase, double done,
                               double total) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool changed = phase != phase_;
  phase_ = phase;
  phase_share_ = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 0;
  if (terminal_) {
    Draw(changed);
  } else if (changed && done_ == std::max<std::int64_t>(first_, 0)) {
    out_ << "hone: " << phase_ << "\n" << std::flush;
  }
}

void ProgressReporter::OnTrials(std::int64_t done, std::int64_t total,
                                std::int64_t failed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (first_ < 0) {
    first_ = next_plain_ = done;
  } else if (warm_ < 0) {
    warm_ = done;
    warm_time_ = Clock::now();
  }
  done_ = done;
  total_ = total;
  failed_ = failed;
  if (terminal_) {
    Draw(false);
  } else if (done_ >= next_plain_) {
    out_ << "hone: " << Line() << "\n" << std::flush;
    next_plain_ = std::min(
        total_, done_ + std::max<std::int64_t>(1, total_ / kPlainLines));
    if (done_ == total_) next_plain_ = total_ + 1;
  }
}

void ProgressReporter::Clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (drawn_ == 0) return;
  out_ << "\r" << std::string(drawn_, ' ') << "\r" << std::flush;
  drawn_ = 0;
}

std::string ProgressReporter::Line() const {
  std::ostringstream out;
  out << done_ << " of " << total_ << " trials";
  if (failed_ > 0) out << ", " << failed_ << " failed";
  out << Estimate();
  return out.str();
}

std::string ProgressReporter::Estimate() const {
  const std::int64_t made = done_ - warm_;
  if (warm_ < 0 || made <= 0 || done_ >= total_) return {};
  const std::chrono::duration<double> spent = Clock::now() - warm_time_;
  return ", " +
         DurationText(spent.count() / static_cast<double>(made) *
                      static_cast<double>(total_ - done_)) +
         " left";
}

void ProgressReporter::Draw(bool always) {
  const Clock::time_point now = Clock::now();
  if (!always && now - last_draw_ < kRedraw) return;
  last_draw_ = now;
  std::string line = Line();
  if (!phase_.empty()) {
    line += "; " + phase_ + " " +
            std::to_string(std::lround(phase_share_ * 100)) + " %";
  }
  line.resize(std::min<std::size_t>(line.size(), 79));
  const std::size_t width = line.size();
  if (line.size() < drawn_) line.resize(drawn_, ' ');
  out_ << "\r" << line << std::flush;
  drawn_ = width;
}

std::string DurationText(double seconds) {
  std::ostringstream out;
  if (seconds < 90) {
    out << "about " << std::max<std::int64_t>(1, std::lround(seconds)) << " s";
  } else if (seconds < 5400) {
    out << "about " << std::lround(seconds / 60) << " min";
  } else {
    out.precision(2);
    out << "about " << seconds / 3600 << " h";
  }
  return out.str();
}

}  // namespace hone
