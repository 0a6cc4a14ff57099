#pragma once

#include <string>
#include <string_view>

namespace hone {

// Messages for people, on standard error. A thin wrapper, because spdlog's fmt
// clashes with the one among LibTorch's headers.
enum class LogLevel { kDebug, kInfo, kWarning, kError };
void SetLogLevel(LogLevel level);
void Log(LogLevel level, std::string_view message);
inline void LogInfo(std::string_view message) { Log(LogLevel::kInfo, message); }
inline void LogWarning(std::string_view message) {
  Log(LogLevel::kWarning, message);
}

}  // namespace hone
