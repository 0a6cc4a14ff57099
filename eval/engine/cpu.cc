#include "eval/engine/cpu.h"

#include <array>
#include <fstream>
#include <set>
#include <sstream>

#include <malloc.h>

namespace hone {
namespace {

constexpr std::array kFlags = {"avx2",     "avx512f",     "avx512_vnni",
                               "avx_vnni", "avx512_bf16", "amx_int8",
                               "amx_bf16"};

std::string Trimmed(std::string_view text) {
  constexpr char kBlanks[] = " \t\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return std::string(
      text.substr(first, text.find_last_not_of(kBlanks) - first + 1));
}

std::string KnownFlags(const std::string& line) {
  std::istringstream words(line);
  std::set<std::string> present;
  for (std::string word; words >> word;) present.insert(word);
  std::string flags;
  for (const char* flag : kFlags) {
    if (!present.contains(flag)) continue;
    if (!flags.empty()) flags += " ";
    flags += flag;
  }
  return flags;
}

// The file's text; empty where it cannot be read, as /proc and /sys files are
// no part of any contract.
std::string TextOf(const char* path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

std::map<std::string, std::string> ParseCpuInfo(std::string_view text) {
  std::map<std::string, std::string> facts;
  std::istringstream lines{std::string(text)};
  int cpus = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = Trimmed(line.substr(0, colon));
    const std::string value = Trimmed(line.substr(colon + 1));
    if (key == "processor") ++cpus;
    if (key == "model name") facts.emplace("cpu", value);
    if (key == "flags") facts.emplace("isa", KnownFlags(value));
  }
  if (cpus > 0) facts.emplace("logical_cpus", std::to_string(cpus));
  return facts;
}

std::map<std::string, std::string> DescribeCpu() {
  auto facts = ParseCpuInfo(TextOf("/proc/cpuinfo"));
  const std::string governor =
      Trimmed(TextOf("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
  if (!governor.empty()) facts.emplace("governor", governor);
  return facts;
}

bool SaturatesInt8(const std::map<std::string, std::string>& cpu) {
  const auto isa = cpu.find("isa");
  if (isa == cpu.end()) return false;
  const auto has = [&](const char* flag) {
    return isa->second.find(flag) != std::string::npos;
  };
  return (has("avx2") || has("avx512f")) && !has("vnni") && !has("amx_int8");
}

std::int64_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

}  // namespace hone
