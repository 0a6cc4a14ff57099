#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// What kind of failure ended the run. The command line maps each to an exit
// status (docs/cli.md).
enum class ErrorCode {
  kInternal,   // a bug: an invariant of ours does not hold
  kUsage,      // bad command line, spec or data file
  kNotFound,   // a trial, file or package that is not there
  kIntegrity,  // stored bytes do not match their hash or format
  kResource,   // disk, memory or another resource is exhausted
  kLocked,     // another process owns the study or the machine
  kCancelled,  // interrupted by a signal; the work can be resumed
};

// The one exception type of the project: thrown for what ends a run. Expected
// outcomes, such as a diverged trial, are values (`Failure`), not exceptions.
// A message says what was wrong, where, and what would be right.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message)
      : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// Throws Error{kInternal} naming the source line.
[[noreturn]] void ThrowCheckFailure(const char* file, int line,
                                    const std::string& message);

// The candidate nearest to `word` (Damerau-Levenshtein distance at most a third
// of its length, at least 1), or an empty string.
std::string NearestWord(std::string_view word,
                        const std::vector<std::string>& candidates);

// "; did you mean 'x'?" for the nearest candidate, else "; use a, b or c".
std::string DidYouMean(std::string_view word,
                       const std::vector<std::string>& candidates);

}  // namespace hone

// Aborts the run with Error{kInternal} when an invariant of ours is broken.
#define HONE_CHECK(condition)                                                \
  do {                                                                       \
    if (!(condition))                                                        \
      ::hone::ThrowCheckFailure(__FILE__, __LINE__, "expected " #condition); \
  } while (false)

// The same for a comparison; prints both operands.
#define HONE_CHECK_OP(a, op, b)                                               \
  do {                                                                        \
    const auto& hone_a = (a);                                                 \
    const auto& hone_b = (b);                                                 \
    if (!(hone_a op hone_b)) {                                                \
      std::ostringstream hone_out;                                            \
      hone_out << "expected " #a " " #op " " #b ", got " << hone_a << " and " \
               << hone_b;                                                     \
      ::hone::ThrowCheckFailure(__FILE__, __LINE__, hone_out.str());          \
    }                                                                         \
  } while (false)
#define HONE_CHECK_EQ(a, b) HONE_CHECK_OP(a, ==, b)
#define HONE_CHECK_LE(a, b) HONE_CHECK_OP(a, <=, b)
#define HONE_CHECK_LT(a, b) HONE_CHECK_OP(a, <, b)
